//! The key with which manifests are signed.
//!
//! Invariant: the private key is readable by its owner only, from its first
//! byte on, and is never printed.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use stempoint_schemas::decimal::shorten;
use stempoint_schemas::hash::hex;
use stempoint_schemas::hex::parse;

use super::ManifestError;
use crate::sync::sync_folder;

const PRIVATE: &str = "key";
const PUBLIC: &str = "key.pub";

/// The private key.
pub(super) struct Signer(SigningKey);

/// The key that anyone may know and an auditor must.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl Signer {
    /// The key of a folder, which is made on first use. The caller sees to it
    /// that nobody else does so at the same time.
    pub(super) fn load_or_create(folder: &Path) -> Result<Signer, ManifestError> {
        let path = folder.join(PRIVATE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return create(folder),
            Err(error) => return Err(ManifestError::file("read", path)(error)),
        };
        let bytes: Option<[u8; 32]> = parse(text.trim()).and_then(|bytes| bytes.try_into().ok());
        bytes.map(|bytes| Signer(SigningKey::from_bytes(&bytes))).ok_or(ManifestError::BadKey(path))
    }

    pub(super) fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

fn create(folder: &Path) -> Result<Signer, ManifestError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| ManifestError::Random(error.to_string()))?;
    let signer = Signer(SigningKey::from_bytes(&seed));
    write(folder, PUBLIC, 0o644, &signer.public().to_string())?;
    write(folder, PRIVATE, 0o600, &hex(&seed))?;
    Ok(signer)
}

fn write(folder: &Path, name: &str, mode: u32, text: &str) -> Result<(), ManifestError> {
    let (staged, path) = (folder.join(format!("{name}.new")), folder.join(name));
    let written = || {
        // A process that was killed may have left one.
        match fs::remove_file(&staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&staged)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        fs::rename(&staged, &path)?;
        sync_folder(folder)
    };
    written().map_err(ManifestError::file("write", &path))
}

impl PublicKey {
    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<PublicKey, ManifestError> {
        let bytes: Option<[u8; 32]> = parse(&text.trim().to_ascii_lowercase()).and_then(|bytes| bytes.try_into().ok());
        let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
        key.map(PublicKey).ok_or_else(|| ManifestError::NoPublicKey(shorten(text)))
    }

    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("key.new"), "left behind").expect("a file");
        let first = Signer::load_or_create(folder.path()).expect("a key");
        let second = Signer::load_or_create(folder.path()).expect("a key");
        assert_eq!(first.public(), second.public());
        let mode = fs::metadata(folder.path().join(PRIVATE)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let published = fs::read_to_string(folder.path().join(PUBLIC)).expect("a file");
        assert_eq!(PublicKey::parse(&published).expect("a key"), first.public());
        let other = Signer::load_or_create(tempfile::tempdir().expect("a folder").path()).expect("a key");
        assert_ne!(other.public(), first.public());
    }

    #[test]
    fn only_what_was_signed_is_signed() {
        let signer = Signer::load_or_create(tempfile::tempdir().expect("a folder").path()).expect("a key");
        let mut signature = signer.sign(b"message");
        assert!(signer.public().has_signed(b"message", &signature));
        assert!(!signer.public().has_signed(b"massage", &signature));
        signature[63] ^= 1;
        assert!(!signer.public().has_signed(b"message", &signature));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for wrong in ["", "00", &"g".repeat(64), &"0".repeat(65)] {
            assert!(PublicKey::parse(wrong).is_err(), "{wrong}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(PRIVATE), "short").expect("a file");
        assert!(matches!(Signer::load_or_create(folder.path()), Err(ManifestError::BadKey(_))));
    }
}

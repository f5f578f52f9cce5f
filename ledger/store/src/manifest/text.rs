//! A manifest as a file: JSON, with the key and the signature at the end.
//!
//! Invariant: a manifest has one text; any other text is damaged. It is
//! replaced whole, and synced before it has its name.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use stempoint_schemas::hex::Hex;

use super::key::Signer;
use super::{LIST, Manifest, ManifestError, PublicKey};
use crate::sync::StagedFile;

/// What the first field says; the signature covers it.
pub(super) const FORMAT: &str = "stempoint-manifest-1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    manifest: Manifest,
    key: String,
    signature: Hex<Vec<u8>>,
}

/// Signs and writes.
pub(super) fn write(folder: &Path, manifest: Manifest, signer: &Signer) -> Result<(), ManifestError> {
    let path = folder.join(LIST);
    let signature = Hex(signer.sign(&message(&manifest, &path)?).to_vec());
    let text = text(&Signed { manifest, key: signer.public().to_string(), signature }, &path)?;
    let staged = StagedFile::create(&path).map_err(ManifestError::file("write", &path))?;
    staged.file().write_all(text.as_bytes()).map_err(ManifestError::file("write", &path))?;
    staged.replace().map_err(ManifestError::file("write", &path))
}

/// Reads a manifest and the key that has signed it; `None` where there is none.
pub(super) fn read(folder: &Path) -> Result<Option<(Manifest, PublicKey)>, ManifestError> {
    let path = folder.join(LIST);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ManifestError::file("read", path)(error)),
    };
    let damaged = |detail: String| ManifestError::Damaged { path: path.clone(), detail };
    let signed: Signed = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if signed.manifest.format != FORMAT {
        return Err(damaged("its format is another one than this version reads".to_owned()));
    }
    let key = PublicKey::parse(&signed.key).map_err(|error| damaged(error.to_string()))?;
    // People may write a key in capitals; here it has one text.
    if key.to_string() != signed.key {
        return Err(damaged("its key is not written in lower case".to_owned()));
    }
    let signature = <[u8; 64]>::try_from(signed.signature.0.as_slice());
    let signature = signature.map_err(|_| damaged("its signature has not 64 bytes".to_owned()))?;
    if !key.has_signed(&message(&signed.manifest, &path)?, &signature) {
        return Err(damaged(format!("its signature is not one of the key {key}")));
    }
    if text(&signed, &path)?.as_bytes() != bytes {
        return Err(damaged("its text is not the one that was written".to_owned()));
    }
    Ok(Some((signed.manifest, key)))
}

fn message(manifest: &Manifest, path: &Path) -> Result<Vec<u8>, ManifestError> {
    serde_json::to_vec(manifest).map_err(|error| ManifestError::file("write", path)(error.into()))
}

fn text(signed: &Signed, path: &Path) -> Result<String, ManifestError> {
    let text = serde_json::to_string_pretty(signed).map_err(|error| ManifestError::file("write", path)(error.into()));
    Ok(text? + "\n")
}

#[cfg(test)]
mod tests {
    use stempoint_schemas::head::Head;

    use super::super::Listed;
    use super::*;

    #[test]
    fn every_flipped_bit_of_the_list_itself_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let signer = Signer::load_or_create(folder.path()).expect("a key");
        let path = "t/_delta_log/0.json \"quoted\"\n".to_owned();
        let listed = Listed { path, size: 7, modified_ns: 1, blake3: Hex([3; 32]) };
        let head = Head { version: 42, hash: Hex([9; 32]) };
        let manifest = Manifest { format: FORMAT.to_owned(), head, taken_us: 5, files: vec![listed] };
        assert_eq!(read(folder.path()).expect("no error"), None);
        write(folder.path(), manifest.clone(), &signer).expect("written");
        assert_eq!(read(folder.path()).expect("no error"), Some((manifest, signer.public())));
        let file = folder.path().join(LIST);
        let text = fs::read(&file).expect("a file");
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[at] ^= 1 << bit;
                fs::write(&file, &changed).expect("a file");
                let error = read(folder.path()).expect_err("damaged").to_string();
                assert!(error.contains("is damaged"), "{error}");
            }
        }
    }
}

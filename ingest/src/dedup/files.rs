//! Durable changes of single files, and the checksum that guards their parts.
//!
//! Invariant: what is named by a file that survives a crash was synced before
//! it was named.

use super::DedupError;
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};
use xxhash_rust::xxh3::xxh3_64;

/// A checksum of `bytes` at their place in a file: the same bytes elsewhere,
/// or in another file, do not pass.
pub fn checksum(file: u64, place: u64, bytes: &[u8]) -> u32 {
    let address = file.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ place.wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    ((xxh3_64(bytes) ^ address) >> 32) as u32
}

/// Makes the names in a folder durable.
///
/// # Errors
/// The folder cannot be opened or synced.
pub fn sync_dir(dir: &Path) -> Result<(), DedupError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| DedupError::io("sync the folder", dir, error))
}

/// Creates a folder with its parents, and makes its name durable.
///
/// # Errors
/// The folder cannot be created or synced.
pub fn create_dir(dir: &Path) -> Result<(), DedupError> {
    fs::create_dir_all(dir).map_err(|error| DedupError::io("create the folder", dir, error))?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent),
        _ => Ok(()),
    }
}

/// Replaces a file as one step: after a crash it is the old or the new one.
///
/// # Errors
/// The file cannot be written, synced or renamed.
pub fn replace(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), DedupError> {
    let path = dir.join(name);
    let draft = dir.join(format!("{name}.draft"));
    File::create(&draft)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&draft, &path))
        .map_err(|error| DedupError::io("replace", &path, error))?;
    sync_dir(dir)
}

/// Little-endian words at a byte position of a buffer that the caller knows to
/// be long enough.
pub fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// As [`word`], of half the width.
pub fn half_word(bytes: &[u8], at: usize) -> u32 {
    let mut half = [0; 4];
    half.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(half)
}

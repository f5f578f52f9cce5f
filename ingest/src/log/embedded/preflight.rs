//! Looks at the storage engine's folder before the engine opens it.
//!
//! The engine does not verify its manifests: a damaged one makes it panic or,
//! worse, delete the tables that the damaged manifest does not name. Each
//! folder `keyspaces/<id>` has a file `current`, which holds the number of the
//! manifest that counts and the manifest's checksum; the manifest is `v<number>`.
//!
//! Invariant: the engine only ever opens manifests that are as it wrote them,
//! and a folder whose creation was interrupted is created anew.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use super::storage;
use crate::log::LogError;

/// The engine's file that is written last when a folder is created.
const MARKER: &str = "version";

/// The engine's folder of trees, one for each keyspace.
const TREES: &str = "keyspaces";

/// Checks `folder`. `is_used` tells whether the log has ever acknowledged
/// records, as far as its witness knows.
pub(super) fn check(folder: &Path, is_used: bool) -> Result<(), LogError> {
    let exists = |path: &Path| path.try_exists().map_err(|error| storage("open", error));
    if !exists(folder)? {
        return Ok(());
    }
    if !exists(&folder.join(MARKER))? {
        // No tree is created before the marker.
        let is_empty = match fs::read_dir(folder.join(TREES)) {
            Ok(mut trees) => trees.next().is_none(),
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        if is_used || !is_empty {
            return Err(damaged(&folder.join(MARKER), "is missing"));
        }
        return fs::remove_dir_all(folder).map_err(|error| storage("create", error));
    }
    let trees = fs::read_dir(folder.join(TREES)).map_err(|error| storage("open", error))?;
    for tree in trees {
        let tree = tree.map_err(|error| storage("open", error))?;
        if tree.file_type().is_ok_and(|kind| kind.is_dir()) {
            check_manifest(&tree.path())?;
        }
    }
    Ok(())
}

fn check_manifest(tree: &Path) -> Result<(), LogError> {
    let current = tree.join("current");
    let pointer = match fs::read(&current) {
        Ok(pointer) => pointer,
        // The creation or the deletion of the keyspace was interrupted, and the
        // engine finishes it.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(storage("open", error)),
    };
    // The number, the checksum, and the kind of checksum.
    let Ok(pointer) = <[u8; 25]>::try_from(pointer) else {
        return Err(damaged(&current, "has the wrong length"));
    };
    let (number, checksum) = pointer[..24].split_at(8);
    let number = u64::from_le_bytes(number.try_into().unwrap_or_default());
    let checksum = u128::from_le_bytes(checksum.try_into().unwrap_or_default());
    let manifest = tree.join(format!("v{number}"));
    let content = match fs::read(&manifest) {
        Ok(content) => content,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(damaged(&manifest, "is missing"));
        }
        Err(error) => return Err(storage("open", error)),
    };
    if pointer[24] != 0 || xxh3_128(&content) != checksum {
        return Err(damaged(&manifest, "does not match its checksum"));
    }
    Ok(())
}

pub(super) fn damaged(file: &Path, what: &str) -> LogError {
    let text = format!("{} {what}", file.display());
    LogError::Storage {
        doing: "open",
        advice: "a file is damaged: restore the folder from a copy",
        source: Arc::new(io::Error::new(ErrorKind::InvalidData, text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with one tree, whose manifest is `content`.
    fn folder(content: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join(TREES).join("7");
        fs::create_dir_all(&tree).unwrap();
        fs::write(folder.path().join(MARKER), b"").unwrap();
        fs::write(tree.join("v300"), content).unwrap();
        let mut pointer = 300_u64.to_le_bytes().to_vec();
        pointer.extend_from_slice(&xxh3_128(content).to_le_bytes());
        pointer.push(0);
        fs::write(tree.join("current"), pointer).unwrap();
        folder
    }

    #[test]
    fn a_manifest_that_is_as_it_was_written_passes() {
        let folder = folder(b"manifest");
        assert!(check(folder.path(), true).is_ok());
        assert!(check(&folder.path().join("absent"), true).is_ok());
    }

    #[test]
    fn a_damaged_or_missing_manifest_is_refused() {
        let folder = folder(b"manifest");
        let manifest = folder.path().join(TREES).join("7").join("v300");
        fs::write(&manifest, b"manifesT").unwrap();
        assert!(check(folder.path(), true).is_err());
        fs::remove_file(&manifest).unwrap();
        assert!(check(folder.path(), true).is_err());
    }

    #[test]
    fn a_folder_without_its_marker_is_created_anew_only_if_nothing_is_in_it() {
        let used = folder(b"manifest");
        fs::remove_file(used.path().join(MARKER)).unwrap();
        assert!(check(used.path(), false).is_err());
        assert!(used.path().join(TREES).join("7").exists());

        let fresh = tempfile::tempdir().unwrap();
        let db = fresh.path().join("db");
        fs::create_dir_all(db.join(TREES)).unwrap();
        assert!(check(&db, true).is_err());
        assert!(check(&db, false).is_ok());
        assert!(!db.exists());
    }
}

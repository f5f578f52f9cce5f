//! The files that lie in a lake, and their hashes.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use stempoint_schemas::hash::Hash;

use super::ManifestError;
use crate::sync::STAGED_MARK;

/// A file that lies there.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Relative to the lake's folder.
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) modified_ns: i64,
    /// When its content or its name was changed last (nanoseconds since 1970).
    pub(super) changed_ns: i64,
}

/// What a walk through the lake has met.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// In the order of their paths.
    pub(super) files: Vec<Found>,
    pub(super) folders: Vec<PathBuf>,
}

/// Everything below the lake's folder. What vanishes meanwhile is left out,
/// and so is what somebody is still writing under a staged name.
pub(super) fn walk(lake: &Path) -> Result<Walk, ManifestError> {
    let mut walk = Walk::default();
    let mut next = vec![(lake.to_owned(), String::new())];
    while let Some((folder, prefix)) = next.pop() {
        let entries = fs::read_dir(&folder).map_err(ManifestError::file("list", &folder))?;
        for entry in entries {
            let entry = entry.map_err(ManifestError::file("list", &folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let metadata = match fs::metadata(entry.path()) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(ManifestError::file("read", entry.path())(error)),
            };
            if metadata.is_dir() {
                next.push((entry.path(), format!("{path}/")));
            } else if !is_staged(&name) {
                walk.files.push(found(path, &metadata));
            }
        }
        walk.folders.push(folder);
    }
    walk.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(walk)
}

fn found(path: String, metadata: &Metadata) -> Found {
    let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    let modified_ns = nanoseconds(metadata.mtime(), metadata.mtime_nsec());
    let changed_ns = nanoseconds(metadata.ctime(), metadata.ctime_nsec()).max(modified_ns);
    Found { path, size: metadata.len(), modified_ns, changed_ns }
}

fn is_staged(name: &str) -> bool {
    let number = name.rsplit_once(STAGED_MARK).map_or("", |(_, number)| number);
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The size and the hash of a file; `None` where it is gone.
pub(super) fn hash(lake: &Path, path: &str) -> Result<Option<(u64, Hash)>, ManifestError> {
    let path = lake.join(path);
    let mut hasher = blake3::Hasher::new();
    match File::open(&path).and_then(|file| hasher.update_reader(file).map(|_| ())) {
        Ok(()) => Ok(Some((hasher.count(), *hasher.finalize().as_bytes()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ManifestError::file("read", path)(error)),
    }
}

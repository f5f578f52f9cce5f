//! The tree below the root as it is on the disk.
//!
//! Invariant: every file, folder and symbolic link is in it, under its path
//! relative to the root, which is the empty path. Sockets, pipes and devices
//! have no content to lose and are left out.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::PowerCutError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Symlink,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) inode: u64,
    /// In bytes.
    pub(crate) size: u64,
}

pub(crate) type Tree = BTreeMap<PathBuf, Entry>;

/// Reads the whole tree below `root`.
pub(crate) fn scan(root: &Path) -> Result<Tree, PowerCutError> {
    let mut tree = Tree::new();
    let mut folders = vec![PathBuf::new()];
    let own = fs::metadata(root).map_err(PowerCutError::io("read", root))?;
    tree.insert(PathBuf::new(), Entry { kind: Kind::Folder, inode: own.ino(), size: own.len() });
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        for entry in fs::read_dir(&path).map_err(PowerCutError::io("read", &path))? {
            let entry = entry.map_err(PowerCutError::io("read", &path))?;
            let relative = folder.join(entry.file_name());
            let metadata = entry.metadata().map_err(PowerCutError::io("read", &entry.path()))?;
            let Some(kind) = kind_of(metadata.file_type()) else { continue };
            if kind == Kind::Folder {
                folders.push(relative.clone());
            }
            tree.insert(relative, Entry { kind, inode: metadata.ino(), size: metadata.len() });
        }
    }
    Ok(tree)
}

fn kind_of(found: fs::FileType) -> Option<Kind> {
    if found.is_dir() {
        Some(Kind::Folder)
    } else if found.is_symlink() {
        Some(Kind::Symlink)
    } else {
        found.is_file().then_some(Kind::File)
    }
}

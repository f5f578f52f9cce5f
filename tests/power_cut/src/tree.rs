//! Giving the tree below the root the names that survive.
//!
//! Invariant: a file is unlinked only once it has its name in the grave, so
//! that every file of the wanted tree can be found until it has its place.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::PowerCutError;
use crate::history::{History, Object};
use crate::names::Id;

/// The root, the grave, and the paths that are on the disk.
pub(crate) struct Disk<'a> {
    pub(crate) root: &'a Path,
    pub(crate) grave: &'a Path,
    pub(crate) paths: BTreeMap<PathBuf, Id>,
}

impl Disk<'_> {
    /// A path under which each file can be reached now.
    pub(crate) fn reachable(&self) -> BTreeMap<Id, PathBuf> {
        self.paths.iter().map(|(path, &id)| (id, self.root.join(path))).collect()
    }

    pub(crate) fn grave_of(&self, object: &Object<'_>) -> PathBuf {
        self.grave.join(object.inode.unwrap_or_default().to_string())
    }

    /// Makes the tree what `wanted` says.
    pub(crate) fn rename_to(&self, history: &History<'_>, wanted: &BTreeMap<PathBuf, Id>) -> Result<(), PowerCutError> {
        self.save_moving(history, wanted)?;
        // What a folder holds comes after it, so from behind folders are empty when they go.
        for (path, &id) in self.paths.iter().rev() {
            if !stays(history, wanted, path, id) {
                self.remove(path, history.objects[id].is_folder)?;
            }
        }
        for (path, &id) in wanted {
            let there = self.paths.get(path).is_some_and(|&found| stays(history, wanted, path, found));
            if !there {
                self.place(path, &history.objects[id])?;
            }
        }
        Ok(())
    }

    /// Gives each file that is to get another name one in the grave.
    fn save_moving(&self, history: &History<'_>, wanted: &BTreeMap<PathBuf, Id>) -> Result<(), PowerCutError> {
        let reachable = self.reachable();
        for (path, id) in wanted {
            let object = &history.objects[*id];
            if object.is_folder || self.paths.get(path) == Some(id) {
                continue;
            }
            let Some(from) = reachable.get(id) else { continue };
            match fs::hard_link(from, self.grave_of(object)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(PowerCutError::io("keep", from)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn remove(&self, path: &Path, is_folder: bool) -> Result<(), PowerCutError> {
        let path = self.root.join(path);
        // Only sockets and pipes can be left in it.
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(PowerCutError::io("remove", &path))
    }

    fn place(&self, path: &Path, object: &Object<'_>) -> Result<(), PowerCutError> {
        let path = self.root.join(path);
        let placed = if object.is_folder { fs::create_dir(&path) } else { fs::hard_link(self.grave_of(object), &path) };
        placed.map_err(PowerCutError::io("bring back", &path))
    }
}

/// Whether what `path` stands for on the disk is what it is to stand for.
fn stays(history: &History<'_>, wanted: &BTreeMap<PathBuf, Id>, path: &Path, id: Id) -> bool {
    wanted
        .get(path)
        .is_some_and(|&other| other == id || (history.objects[id].is_folder && history.objects[other].is_folder))
}

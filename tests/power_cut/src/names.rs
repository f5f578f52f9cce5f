//! Which names stand for which files, and the changes that lead there.
//!
//! Invariant: a set of changes that contains all that its members need, applied
//! in order, gives a tree that a filesystem could hold: every folder has one
//! parent, and no change works on a name that never was.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A file, folder or symbolic link, whatever its names.
pub(crate) type Id = usize;

/// The root folder itself.
pub(crate) const ROOT: Id = 0;

/// A name in a folder.
pub(crate) type Slot = (Id, OsString);

/// What each folder holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(HashMap<Id, BTreeMap<OsString, Id>>);

impl Names {
    pub(crate) fn get(&self, slot: &Slot) -> Option<Id> {
        self.0.get(&slot.0)?.get(&slot.1).copied()
    }

    pub(crate) fn insert(&mut self, (folder, name): Slot, object: Id) {
        self.0.entry(folder).or_default().insert(name, object);
    }

    fn remove(&mut self, slot: &Slot) {
        if let Some(folder) = self.0.get_mut(&slot.0) {
            folder.remove(&slot.1);
        }
    }

    /// The slot that a path names; `None` where a folder on the way is missing.
    pub(crate) fn slot(&self, path: &Path) -> Option<Slot> {
        let name = path.file_name()?.to_owned();
        let mut folder = ROOT;
        for part in path.parent()?.iter() {
            folder = self.below(folder, part)?;
        }
        Some((folder, name))
    }

    fn below(&self, folder: Id, name: &OsStr) -> Option<Id> {
        self.0.get(&folder)?.get(name).copied()
    }

    /// Applies a change, as far as it meets what it was made on.
    pub(crate) fn apply(&mut self, change: &Change) {
        for (slot, object) in &change.removes {
            if self.get(slot) == Some(*object) {
                self.remove(slot);
            }
        }
        for (slot, object) in &change.adds {
            self.insert(slot.clone(), *object);
        }
    }

    /// All that can be reached from the root, the root included, by path.
    pub(crate) fn walk(&self) -> BTreeMap<PathBuf, Id> {
        let mut found = BTreeMap::from([(PathBuf::new(), ROOT)]);
        let mut seen = HashSet::from([ROOT]);
        let mut folders = vec![(PathBuf::new(), ROOT)];
        while let Some((path, folder)) = folders.pop() {
            for (name, &object) in self.0.get(&folder).into_iter().flatten() {
                let path = path.join(name);
                if self.0.contains_key(&object) && seen.insert(object) {
                    folders.push((path.clone(), object));
                }
                found.insert(path, object);
            }
        }
        found
    }

    /// Makes `object` a folder, empty if it is new.
    pub(crate) fn add_folder(&mut self, object: Id) {
        self.0.entry(object).or_default();
    }

    pub(crate) fn is_folder(&self, object: Id) -> bool {
        self.0.contains_key(&object)
    }
}

/// What a change was, for the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameChange {
    /// A file, folder or symbolic link was made.
    Created,
    /// A file got a further name.
    Linked,
    /// A name was removed.
    Removed,
    /// It was called so before; `None` when it came from outside the root.
    Renamed {
        /// The earlier name.
        from: Option<PathBuf>,
    },
    /// It swapped with the other.
    Exchanged {
        /// The other name.
        with: PathBuf,
    },
}

/// One change of names: it happens as a whole, or not at all.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) path: PathBuf,
    pub(crate) what: NameChange,
    pub(crate) removes: Vec<(Slot, Id)>,
    pub(crate) adds: Vec<(Slot, Id)>,
    /// Earlier changes that it builds on.
    pub(crate) needs: Vec<usize>,
    /// Whether a sync made it durable.
    pub(crate) durable: bool,
}

/// All changes since the journal began, and what each needs.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) all: Vec<Change>,
    last_of_slot: HashMap<Slot, usize>,
    of_folder: HashMap<Id, Vec<usize>>,
    placed: HashMap<Id, (usize, Id)>,
    last_folder_move: Option<usize>,
}

impl Changes {
    /// Adds a change, applies it to `names`, and notes what it needs.
    pub(crate) fn push(&mut self, names: &mut Names, mut change: Change) {
        let index = self.all.len();
        let mut needs: HashSet<usize> = HashSet::new();
        for (slot, _) in change.removes.iter().chain(&change.adds) {
            needs.extend(self.last_of_slot.insert(slot.clone(), index));
            let of_folder = self.of_folder.entry(slot.0).or_default();
            if of_folder.last() != Some(&index) {
                of_folder.push(index);
            }
        }
        for (slot, object) in &change.removes {
            if !names.is_folder(*object) {
                continue;
            }
            match change.adds.iter().find(|(_, added)| added == object) {
                // A folder can go only once it is empty.
                None => needs.extend(self.of_folder.get(object).into_iter().flatten()),
                // Two moves of folders between folders could make a circle.
                Some((to, _)) if to.0 != slot.0 => needs.extend(self.last_folder_move.replace(index)),
                Some(_) => {}
            }
        }
        for (slot, object) in &change.adds {
            let moved = change.removes.iter().find(|(_, removed)| removed == object);
            if moved.is_some_and(|(from, _)| from.0 != slot.0) {
                // What exists already does not vanish for want of the folder that it was moved to.
                needs.extend(self.places(slot.0));
            }
            if names.is_folder(*object) {
                self.placed.insert(*object, (index, slot.0));
            }
        }
        needs.remove(&index);
        change.needs = needs.into_iter().collect();
        names.apply(&change);
        self.all.push(change);
    }

    /// The changes that put a folder, and those above it, where they are.
    fn places(&self, folder: Id) -> Vec<usize> {
        let mut found = Vec::new();
        let mut at = folder;
        while let Some(&(change, above)) = self.placed.get(&at) {
            // A folder that was made since cannot lie above itself; the bound only guards the loop.
            if found.len() > self.all.len() {
                break;
            }
            found.push(change);
            at = above;
        }
        found
    }

    /// Makes durable what was done in a folder by the first `count` changes, with all that it needs.
    pub(crate) fn sync_folder(&mut self, folder: Id, count: usize) {
        let of_folder = self.of_folder.get(&folder).map_or(&[][..], Vec::as_slice);
        let mut open: Vec<usize> = of_folder.iter().copied().filter(|&index| index < count).collect();
        while let Some(index) = open.pop() {
            if !self.all[index].durable {
                self.all[index].durable = true;
                open.extend(&self.all[index].needs);
            }
        }
    }

    /// Makes the first `count` changes durable.
    pub(crate) fn sync_all(&mut self, count: usize) {
        self.all.iter_mut().take(count).for_each(|change| change.durable = true);
    }
}

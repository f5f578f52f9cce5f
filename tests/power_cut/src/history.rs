//! What the processes did, worked out from the journal.
//!
//! Invariant: the history ends in the tree that is on the disk, name for name
//! and inode for inode; where it does not, something went unseen and nothing
//! is judged.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::error::PowerCutError;
use crate::journal::{Naming, Record};
use crate::names::{Change, Changes, Id, NameChange, Names, Slot};
use crate::scan::{Entry, Kind, Tree};

/// More processes than this killed in the middle of a change of names do not occur.
const UNFINISHED_MAX: usize = 10;

/// A change of a file's content. Offsets and sizes are in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Edit<'a> {
    pub(crate) kind: EditKind,
    pub(crate) old_size: u64,
    /// The bytes that it replaced, where they were not zero.
    pub(crate) before: Vec<(u64, &'a [u8])>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EditKind {
    Write { offset: u64, length: u64 },
    Resize { size: u64 },
}

impl Edit<'_> {
    /// Whether a file of `old_size` can have `size` after it, be it done, cut short or refused.
    fn can_lead_to(&self, size: u64) -> bool {
        match self.kind {
            EditKind::Write { offset, length } => {
                size == self.old_size || (size > self.old_size && size <= offset.saturating_add(length))
            }
            EditKind::Resize { size: wanted } => size == self.old_size || size == wanted,
        }
    }
}

/// A file, folder or symbolic link.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    /// `None` until the tree on the disk tells it.
    pub(crate) inode: Option<u64>,
    pub(crate) is_folder: bool,
    /// In bytes, when the journal began or the file was made.
    pub(crate) first_size: u64,
    pub(crate) edits: Vec<Edit<'a>>,
    /// So many of the edits are durable.
    pub(crate) synced: usize,
}

/// All that happened since the journal began.
#[derive(Debug)]
pub(crate) struct History<'a> {
    pub(crate) objects: Vec<Object<'a>>,
    /// The names when the journal began.
    pub(crate) first: Names,
    /// The names at the end.
    pub(crate) last: Names,
    pub(crate) changes: Changes,
    by_inode: HashMap<u64, Id>,
    before: HashMap<u64, Vec<(u64, &'a [u8])>>,
    syncs: HashMap<u64, Sync>,
}

/// What a sync covers: so many changes of names, or of content, as there were when it began.
#[derive(Debug)]
enum Sync {
    Folder { id: Id, changes: usize },
    File { id: Id, edits: usize },
    All { changes: usize, edits: Vec<usize> },
}

impl<'a> History<'a> {
    /// The history that leads from `base` to `live`.
    pub(crate) fn work_out(records: &[Record<'a>], base: &Tree, live: &Tree) -> Result<Self, PowerCutError> {
        let outcomes: HashMap<u64, (bool, u64)> = records
            .iter()
            .filter_map(|record| match record {
                Record::Done { token, succeeded, inode } => Some((*token, (*succeeded, *inode))),
                _ => None,
            })
            .collect();
        // Killed between the change and the word that it succeeded: the disk tells which it was.
        let unfinished: Vec<u64> = records
            .iter()
            .filter_map(|record| match record {
                Record::Naming { token, .. } if !outcomes.contains_key(token) => Some(*token),
                _ => None,
            })
            .take(UNFINISHED_MAX)
            .collect();
        let mut first_error = None;
        for guess in 0..1_u32 << unfinished.len() {
            let mut outcomes = outcomes.clone();
            for (number, token) in unfinished.iter().enumerate() {
                outcomes.insert(*token, (guess >> number & 1 == 1, 0));
            }
            match Self::replay(records, &outcomes, base).and_then(|history| history.agreeing_with(live)) {
                Ok(history) => return Ok(history),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or(PowerCutError::NotLoaded))
    }

    fn replay(
        records: &[Record<'a>],
        outcomes: &HashMap<u64, (bool, u64)>,
        base: &Tree,
    ) -> Result<Self, PowerCutError> {
        let mut history = Self::starting_at(base);
        for record in records {
            match *record {
                Record::Naming { token, inode, naming } => {
                    if let Some(&(true, made)) = outcomes.get(&token) {
                        history.name(naming, inode, made)?;
                    }
                }
                Record::Nameless { inode } => {
                    history.object(Some(inode), false, 0);
                }
                Record::Before { inode, offset, bytes } => {
                    history.before.entry(inode).or_default().push((offset, bytes));
                }
                Record::Write { inode, offset, length, old_size } => {
                    history.edit(inode, EditKind::Write { offset, length }, old_size);
                }
                Record::Resize { inode, size, old_size } => {
                    history.edit(inode, EditKind::Resize { size }, old_size);
                }
                Record::Sync { token, inode } => history.begin_sync(token, inode),
                Record::SyncAll { token } => {
                    let edits = history.objects.iter().map(|object| object.edits.len()).collect();
                    history.syncs.insert(token, Sync::All { changes: history.changes.all.len(), edits });
                }
                Record::Done { token, succeeded: true, .. } => history.end_sync(token),
                Record::Done { .. } | Record::Start { .. } | Record::Mapped { .. } | Record::Fault { .. } => {}
            }
        }
        Ok(history)
    }

    fn starting_at(base: &Tree) -> Self {
        let mut history = Self {
            objects: Vec::new(),
            first: Names::default(),
            last: Names::default(),
            changes: Changes::default(),
            by_inode: HashMap::new(),
            before: HashMap::new(),
            syncs: HashMap::new(),
        };
        // A folder comes before what it holds, and the root first.
        for (path, entry) in base {
            let known = history.by_inode.get(&entry.inode).copied();
            let is_folder = entry.kind == Kind::Folder;
            let id = known.unwrap_or_else(|| history.object(Some(entry.inode), is_folder, entry.size));
            if is_folder {
                history.first.add_folder(id);
            }
            if let Some(slot) = history.first.slot(path) {
                history.first.insert(slot, id);
            }
        }
        history.last = history.first.clone();
        history
    }

    /// A new object, which takes the inode over from any that had it.
    fn object(&mut self, inode: Option<u64>, is_folder: bool, first_size: u64) -> Id {
        let id = self.objects.len();
        self.objects.push(Object { inode, is_folder, first_size, edits: Vec::new(), synced: 0 });
        if let Some(inode) = inode {
            self.by_inode.insert(inode, id);
        }
        id
    }

    fn known_or_new(&mut self, inode: u64) -> Id {
        self.by_inode.get(&inode).copied().unwrap_or_else(|| self.object(Some(inode), false, 0))
    }

    fn name(&mut self, naming: Naming<'_>, inode: u64, made: u64) -> Result<(), PowerCutError> {
        let made = (made != 0).then_some(made);
        let change = match naming {
            Naming::Create(path) | Naming::MakeFolder(path) => {
                let id = self.object(made, matches!(naming, Naming::MakeFolder(_)), 0);
                if self.objects[id].is_folder {
                    self.last.add_folder(id);
                }
                change(path, NameChange::Created, vec![], vec![(self.slot(path)?, id)])
            }
            Naming::Link(path) => {
                let id = self.known_or_new(inode);
                change(path, NameChange::Linked, vec![], vec![(self.slot(path)?, id)])
            }
            Naming::Remove(path) => change(path, NameChange::Removed, vec![self.taken(path)?], vec![]),
            Naming::Exchange(one, other) => {
                let (first, second) = (self.taken(one)?, self.taken(other)?);
                let adds = vec![(first.0.clone(), second.1), (second.0.clone(), first.1)];
                change(one, NameChange::Exchanged { with: other.to_owned() }, vec![first, second], adds)
            }
            Naming::Rename(from, to) => self.rename(from, to, inode)?,
        };
        self.changes.push(&mut self.last, change);
        Ok(())
    }

    fn rename(&mut self, from: Option<&Path>, to: Option<&Path>, inode: u64) -> Result<Change, PowerCutError> {
        let mut removes = Vec::new();
        let id = match from {
            Some(from) => {
                let taken = self.taken(from)?;
                let id = taken.1;
                removes.push(taken);
                id
            }
            None => self.known_or_new(inode),
        };
        let Some(to) = to else {
            return Ok(change(from.unwrap_or(Path::new("")), NameChange::Removed, removes, vec![]));
        };
        let slot = self.slot(to)?;
        removes.extend(self.last.get(&slot).map(|replaced| (slot.clone(), replaced)));
        let what = NameChange::Renamed { from: from.map(Path::to_owned) };
        Ok(change(to, what, removes, vec![(slot, id)]))
    }

    fn slot(&self, path: &Path) -> Result<Slot, PowerCutError> {
        self.last.slot(path).ok_or_else(|| PowerCutError::untracked(path, "it was made in a folder that is not known"))
    }

    fn taken(&self, path: &Path) -> Result<(Slot, Id), PowerCutError> {
        let slot = self.slot(path)?;
        let object = self.last.get(&slot);
        object
            .map(|object| (slot, object))
            .ok_or_else(|| PowerCutError::untracked(path, "it was moved or removed, and not known"))
    }

    fn edit(&mut self, inode: u64, kind: EditKind, old_size: u64) {
        let before = self.before.remove(&inode).unwrap_or_default();
        let id = self.known_or_new(inode);
        self.objects[id].edits.push(Edit { kind, old_size, before });
    }

    fn begin_sync(&mut self, token: u64, inode: u64) {
        let Some(&id) = self.by_inode.get(&inode) else { return };
        let object = &self.objects[id];
        let begun = if object.is_folder {
            Sync::Folder { id, changes: self.changes.all.len() }
        } else {
            Sync::File { id, edits: object.edits.len() }
        };
        self.syncs.insert(token, begun);
    }

    fn end_sync(&mut self, token: u64) {
        match self.syncs.remove(&token) {
            Some(Sync::Folder { id, changes }) => self.changes.sync_folder(id, changes),
            Some(Sync::File { id, edits }) => self.objects[id].synced = self.objects[id].synced.max(edits),
            Some(Sync::All { changes, edits }) => {
                self.changes.sync_all(changes);
                for (object, edits) in self.objects.iter_mut().zip(edits) {
                    object.synced = object.synced.max(edits);
                }
            }
            None => {}
        }
    }

    /// Itself, if it ends in the tree on the disk.
    fn agreeing_with(mut self, live: &Tree) -> Result<Self, PowerCutError> {
        let names = self.last.walk();
        if let Some(path) = live.keys().find(|path| !names.contains_key(*path)) {
            return Err(PowerCutError::untracked(path, "it is there, and the journal does not say how it came"));
        }
        for (path, &id) in &names {
            let Some(entry) = live.get(path) else {
                return Err(PowerCutError::untracked(path, "it is gone, and the journal does not say how"));
            };
            let object = &mut self.objects[id];
            if object.inode.is_none() {
                object.inode = Some(entry.inode);
                self.by_inode.insert(entry.inode, id);
            }
            if object.inode != Some(entry.inode) || object.is_folder != (entry.kind == Kind::Folder) {
                return Err(PowerCutError::untracked(path, "it is another file than the journal says"));
            }
            check_sizes(path, object, entry)?;
        }
        Ok(self)
    }

    /// Every path on the disk and what it stands for.
    pub(crate) fn last_paths(&self) -> BTreeMap<PathBuf, Id> {
        self.last.walk()
    }
}

fn change(path: &Path, what: NameChange, removes: Vec<(Slot, Id)>, adds: Vec<(Slot, Id)>) -> Change {
    Change { path: path.to_owned(), what, removes, adds, needs: Vec::new(), durable: false }
}

/// Each edit must have found the size that the one before it left, and the last one left what is there.
fn check_sizes(path: &Path, object: &Object<'_>, entry: &Entry) -> Result<(), PowerCutError> {
    if entry.kind != Kind::File {
        return Ok(());
    }
    let untracked = |expected: u64, found: u64| {
        PowerCutError::untracked(path, format!("it has {found} bytes where the journal has {expected}"))
    };
    let found_sizes = object.edits.iter().map(|edit| edit.old_size).skip(1).chain([entry.size]);
    for (edit, found) in object.edits.iter().zip(found_sizes) {
        if !edit.can_lead_to(found) {
            return Err(untracked(edit.old_size, found));
        }
    }
    let first = object.edits.first().map_or(entry.size, |edit| edit.old_size);
    if first != object.first_size { Err(untracked(object.first_size, first)) } else { Ok(()) }
}

//! Named points at which a test can kill the process, as a power cut would, or
//! freeze it, as a machine that swaps or a debugger would.
//!
//! `STEMPOINT_CRASH_AT=name` kills it with SIGKILL when it reaches that point,
//! `name:3` when it reaches it for the third time, and `name@table` only for
//! that table. With `STEMPOINT_CRASH_DROP_UNSYNCED=1` whatever the local store
//! has written but not yet synced is undone first, which is the worst that a
//! power cut may leave. `STEMPOINT_FREEZE_AT`, with the same names, stops it
//! with SIGSTOP there; SIGCONT lets it go on.
//!
//! Invariant: without these variables a crash point does nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The crash points of appending and maintenance, in the order in which they
/// are met. Those of replacing a table, `store.erase.before` and
/// `store.erase.after`, are met where profiles are deleted.
pub const CRASH_POINTS: &[&str] = &[
    "store.put_file.before",
    "store.local.written",
    "store.local.named",
    "store.put_file.after",
    "store.commit.before",
    "store.commit.after",
    "store.compact.written",
    "store.checkpoint.before",
    "store.checkpoint.after",
    "store.clean_log.before",
    "store.clean_log.after",
    "store.vacuum.before",
    "store.vacuum.after",
];

struct Target {
    name: String,
    table: Option<String>,
    nth: u64,
    reached: AtomicU64,
}

impl Target {
    /// Whether this is the moment that was asked for.
    fn is_here(&self, name: &str, table: Option<&str>) -> bool {
        let here = self.name == name && (self.table.is_none() || self.table.as_deref() == table);
        here && self.reached.fetch_add(1, Ordering::SeqCst) + 1 == self.nth
    }
}

/// Kills or freezes the process if it was asked to end or to stop here.
pub fn crash_point(name: &str) {
    reached(name, None);
}

/// Like [`crash_point`], for a step that concerns one table.
pub fn crash_point_in(name: &str, table: &str) {
    reached(name, Some(table));
}

fn reached(name: &str, table: Option<&str>) {
    static FREEZE_AT: OnceLock<Option<Target>> = OnceLock::new();
    if crash_at().is_some_and(|target| target.is_here(name, table)) {
        die();
    }
    if target(&FREEZE_AT, "STEMPOINT_FREEZE_AT").is_some_and(|target| target.is_here(name, table)) {
        freeze();
    }
}

fn crash_at() -> Option<&'static Target> {
    static CRASH_AT: OnceLock<Option<Target>> = OnceLock::new();
    target(&CRASH_AT, "STEMPOINT_CRASH_AT")
}

fn target(known: &'static OnceLock<Option<Target>>, variable: &str) -> Option<&'static Target> {
    known.get_or_init(|| parse(&std::env::var(variable).ok()?)).as_ref()
}

fn parse(text: &str) -> Option<Target> {
    let (place, nth) = match text.rsplit_once(':') {
        Some((place, nth)) => (place, nth.parse().ok()?),
        None => (text, 1),
    };
    let (name, table) = match place.split_once('@') {
        Some((name, table)) => (name, Some(table.to_owned())),
        None => (place, None),
    };
    (!name.is_empty() && nth > 0).then(|| Target { name: name.to_owned(), table, nth, reached: AtomicU64::new(0) })
}

fn die() -> ! {
    undo_unsynced();
    #[expect(unsafe_code, reason = "the standard library cannot send a signal")]
    // SAFETY: kill and getpid take plain integers and touch no memory of ours.
    unsafe {
        libc::kill(libc::getpid(), libc::SIGKILL);
    }
    // The signal cannot be caught, so this thread only waits for it.
    loop {
        std::thread::park();
    }
}

fn freeze() {
    #[expect(unsafe_code, reason = "the standard library cannot send a signal")]
    // SAFETY: raise takes a plain integer and touches no memory of ours. It signals this thread and not just
    // any of the process, so that not one instruction follows before SIGCONT.
    unsafe {
        libc::raise(libc::SIGSTOP);
    }
}

/// What the local store has done to one path since it was last synced.
#[derive(Default)]
struct Unsynced {
    /// Bytes were written that may not have reached the disk.
    content: bool,
    /// The name was given, which its folder may not have on disk; before, it
    /// stood for this content, or for nothing.
    name: Option<Option<Vec<u8>>>,
}

fn pending() -> MutexGuard<'static, BTreeMap<PathBuf, Unsynced>> {
    static PENDING: Mutex<BTreeMap<PathBuf, Unsynced>> = Mutex::new(BTreeMap::new());
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a crash drops what was not synced.
fn drops_unsynced() -> bool {
    static DROPS: OnceLock<bool> = OnceLock::new();
    *DROPS.get_or_init(|| crash_at().is_some() && std::env::var_os("STEMPOINT_CRASH_DROP_UNSYNCED").is_some())
}

/// Notes that a file was written.
pub(crate) fn note_written(path: &Path) {
    if drops_unsynced() {
        pending().entry(path.to_owned()).or_default().content = true;
    }
}

/// Notes that the content of a file is on disk.
pub(crate) fn note_content_synced(path: &Path) {
    if drops_unsynced() {
        pending().entry(path.to_owned()).or_default().content = false;
    }
}

/// Notes that a staged file is about to get its name.
pub(crate) fn note_naming(staged: &Path, target: &Path) {
    if drops_unsynced() {
        let before = std::fs::read(target).ok();
        let mut pending = pending();
        let content = pending.remove(staged).is_some_and(|staged| staged.content);
        pending.insert(target.to_owned(), Unsynced { content, name: Some(before) });
    }
}

/// Notes that the folder has the name on disk, or that it was not given.
pub(crate) fn note_name_settled(target: &Path) {
    if drops_unsynced() {
        pending().entry(target.to_owned()).or_default().name = None;
    }
}

fn undo_unsynced() {
    for (path, what) in std::mem::take(&mut *pending()) {
        // The process is about to die and has nobody to report a failure to.
        let _ = match what {
            Unsynced { name: Some(None), .. } => std::fs::remove_file(&path),
            Unsynced { name: Some(Some(before)), .. } => std::fs::write(&path, before),
            Unsynced { content: true, name: None } => {
                std::fs::File::options().write(true).open(&path).and_then(|file| file.set_len(0))
            }
            Unsynced { content: false, name: None } => Ok(()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_understood() {
        let target = parse("store.commit.before@commits:3").expect("a target");
        assert_eq!(
            (target.name.as_str(), target.table.as_deref(), target.nth),
            ("store.commit.before", Some("commits"), 3)
        );
        let target = parse("a.b").expect("a target");
        assert_eq!((target.name.as_str(), target.table, target.nth), ("a.b", None, 1));
        for wrong in ["", ":1", "a:0", "a:x", "@t"] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}

//! Makes a SIGKILL in a test behave like a power cut: changes of local files
//! that were not synced are lost.
//!
//! A library preloaded into the process under test describes every change of
//! files and names below a folder in a journal. Once the process is dead,
//! [`PowerCut::cut`] takes back what no sync had made durable. The README of
//! this crate says what counts as durable, and what cannot be seen.
//!
//! Invariant: after a cut the tree is one that a power cut at the moment of
//! death could have left; where that cannot be known, the cut is an error.

mod content;
mod error;
mod fate;
mod history;
mod journal;
mod names;
mod report;
mod scan;
mod tree;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use self::error::PowerCutError;
pub use self::fate::Mode;
use self::fate::{Fate, Judge};
use self::history::History;
use self::journal::Record;
pub use self::names::NameChange;
pub use self::report::{Loss, Report};
use self::scan::Tree;
use self::tree::Disk;

/// How long a killed process may take to let go of its files.
const END_WAIT: Duration = Duration::from_secs(5);

/// Watches a folder through the processes that it is told of, and cuts their power.
///
/// Several processes can run at a time and one after another; a cut covers what
/// all of them did. Its own files lie in a hidden folder beside the root, and go
/// with it.
#[derive(Debug)]
pub struct PowerCut {
    root: PathBuf,
    library: PathBuf,
    work: TempDir,
    base: Tree,
}

impl PowerCut {
    /// Watches the folder `root`, which exists. All that is in it counts as synced.
    ///
    /// The root itself never vanishes: to test that a program syncs the folder
    /// that it creates, let it create one inside.
    ///
    /// # Errors
    /// [`PowerCutError::Unavailable`] where the library could not be built, and
    /// when the folder or the one that holds it cannot be used.
    pub fn new(root: &Path) -> Result<Self, PowerCutError> {
        let library = library()?;
        let root = root.canonicalize().map_err(PowerCutError::io("find", root))?;
        let holder = root.parent().ok_or_else(|| PowerCutError::MountPoint { root: root.clone() })?;
        let work = tempfile::Builder::new()
            .prefix(".power-cut-")
            .tempdir_in(holder)
            .map_err(PowerCutError::io("create a folder in", holder))?;
        if device_of(&root)? != device_of(work.path())? {
            return Err(PowerCutError::MountPoint { root });
        }
        let mut power = Self { root, library, work, base: Tree::new() };
        fs::create_dir(power.grave()).map_err(PowerCutError::io("create", &power.grave()))?;
        power.reset()?;
        Ok(power)
    }

    /// The folder that is watched.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What a process needs in its environment to be watched.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, OsString); 4] {
        let mut preload = self.library.clone().into_os_string();
        if let Some(others) = std::env::var_os("LD_PRELOAD") {
            preload.push(" ");
            preload.push(others);
        }
        [
            ("LD_PRELOAD", preload),
            ("POWER_CUT_ROOT", self.root.clone().into()),
            ("POWER_CUT_JOURNAL", self.work.path().into()),
            ("POWER_CUT_GRAVE", self.grave().into()),
        ]
    }

    /// Makes a process that is still to start one that is watched, with its children.
    pub fn command<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(self.environment())
    }

    /// Takes from the root what was not synced, and begins anew with what is left.
    ///
    /// All processes must have been killed and waited for.
    ///
    /// # Errors
    /// When a process still runs, none was watched, or something happened that
    /// the library could not see: then nothing was changed.
    /// [`PowerCutError::Io`] can leave the tree half changed.
    pub fn cut(&mut self, mode: Mode) -> Result<Report, PowerCutError> {
        let _alone = self.wait_for_end()?;
        let journal = self.journal();
        let bytes = fs::read(&journal).map_err(PowerCutError::io("read", &journal))?;
        let records = journal::parse(&bytes);
        refuse_blind_spots(&records)?;
        let live = scan::scan(&self.root)?;
        let history = History::work_out(&records, &self.base, &live)?;
        let report = self.take(&history, mode)?;
        self.begin_anew()?;
        Ok(report)
    }

    /// Begins anew: all that is in the root now counts as synced.
    ///
    /// # Errors
    /// When a process still runs, and when files cannot be read or removed.
    pub fn reset(&mut self) -> Result<(), PowerCutError> {
        let _alone = self.wait_for_end()?;
        self.begin_anew()
    }

    fn take(&self, history: &History<'_>, mode: Mode) -> Result<Report, PowerCutError> {
        let mut judge = Judge::new(mode);
        let kept = judge.changes(history);
        let mut names = history.first.clone();
        let mut report = Report { mode, losses: Vec::new(), survived: 0 };
        for (change, kept) in history.changes.all.iter().zip(kept) {
            if kept {
                names.apply(change);
                report.survived += usize::from(!change.durable);
            } else {
                let (path, change) = (change.path.clone(), change.what.clone());
                report.losses.push(Loss::Name { path, change });
            }
        }
        let wanted = names.walk();
        let disk = Disk { root: &self.root, grave: &self.grave(), paths: history.last_paths() };
        restore_contents(&disk, history, &wanted, &mut judge, &mut report)?;
        disk.rename_to(history, &wanted)?;
        Ok(report)
    }

    fn begin_anew(&mut self) -> Result<(), PowerCutError> {
        let (grave, state) = (self.grave(), self.work.path().join("state"));
        fs::remove_dir_all(&grave).map_err(PowerCutError::io("empty", &grave))?;
        fs::create_dir(&grave).map_err(PowerCutError::io("create", &grave))?;
        if state.exists() {
            fs::remove_file(&state).map_err(PowerCutError::io("remove", &state))?;
        }
        let journal = self.journal();
        File::create(&journal).map_err(PowerCutError::io("empty", &journal))?;
        self.base = scan::scan(&self.root)?;
        Ok(())
    }

    /// The lock that every watched process shares, once none has it any more.
    fn wait_for_end(&self) -> Result<Alone, PowerCutError> {
        let journal = self.journal();
        let mut options = File::options();
        let file = options.create(true).append(true).open(&journal);
        let file = file.map_err(PowerCutError::io("open", &journal))?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Alone(file)),
                Err(TryLockError::WouldBlock) if start.elapsed() < END_WAIT => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(PowerCutError::StillRunning { root: self.root.clone() });
                }
                Err(TryLockError::Error(error)) => return Err(PowerCutError::io("lock", &journal)(error)),
            }
        }
    }

    fn journal(&self) -> PathBuf {
        self.work.path().join("records")
    }

    fn grave(&self) -> PathBuf {
        self.work.path().join("grave")
    }
}

/// Keeps watched processes from starting.
struct Alone(File);

impl Drop for Alone {
    fn drop(&mut self) {
        // Closing is not enough: a process that another thread is just starting may still have the
        // descriptor. The lock is gone at the latest when that process runs its own program.
        let _ = self.0.unlock();
    }
}

/// Where the build left the library.
fn library() -> Result<PathBuf, PowerCutError> {
    let Some(path) = option_env!("POWER_CUT_LIBRARY") else {
        let reason = option_env!("POWER_CUT_MISSING").unwrap_or("the library was not built");
        return Err(PowerCutError::Unavailable { reason: reason.to_owned() });
    };
    if path.contains([' ', ':']) {
        return Err(PowerCutError::LibraryPath { path: path.into() });
    }
    Ok(path.into())
}

fn device_of(path: &Path) -> Result<u64, PowerCutError> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata(path).map_err(PowerCutError::io("read", path))?.dev())
}

/// An error for what makes the journal incomplete.
fn refuse_blind_spots(records: &[Record<'_>]) -> Result<(), PowerCutError> {
    let mut loaded = false;
    for record in records {
        match *record {
            Record::Start { filtered: true } => loaded = true,
            Record::Start { filtered: false } => return Err(PowerCutError::NotFiltered),
            Record::Mapped { path } => return Err(PowerCutError::Mapped { path: path.to_owned() }),
            Record::Fault { reason } => {
                return Err(PowerCutError::Fault { reason: String::from_utf8_lossy(reason).into_owned() });
            }
            _ => {}
        }
    }
    if loaded { Ok(()) } else { Err(PowerCutError::NotLoaded) }
}

/// Leaves in every file of the wanted tree what survives of its content.
fn restore_contents(
    disk: &Disk<'_>,
    history: &History<'_>,
    wanted: &BTreeMap<PathBuf, names::Id>,
    judge: &mut Judge,
    report: &mut Report,
) -> Result<(), PowerCutError> {
    let reachable = disk.reachable();
    let files: BTreeMap<names::Id, &PathBuf> = wanted.iter().map(|(path, &id)| (id, path)).collect();
    for (id, path) in files {
        let object = &history.objects[id];
        let fates = judge.edits(object);
        if fates.iter().all(|&fate| fate == Fate::Kept) {
            report.survived += fates.len();
            continue;
        }
        let file = reachable.get(&id).cloned().unwrap_or_else(|| disk.grave_of(object));
        let lost = content::restore(&file, &object.edits[object.synced..], &fates)
            .map_err(PowerCutError::io("restore", &file))?;
        report.survived += fates.len() - lost.edits - lost.torn;
        let content::Lost { edits, torn, bytes } = lost;
        report.losses.push(Loss::Content { path: path.clone(), edits, torn, bytes });
    }
    Ok(())
}

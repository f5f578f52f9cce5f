//! Writing to the local disk so that it survives a power cut.
//!
//! Invariant: a name that others can see stands for content that was synced
//! before the name was given, and the folder is synced before success is
//! reported. A crash therefore leaves the old state, the new one, or a staged
//! file that nobody looks at.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::crash::{crash_point, note_content_synced, note_name_settled, note_naming, note_written};

/// A file under a hidden name that becomes visible at once, or never.
#[derive(Debug)]
pub(crate) struct StagedFile {
    file: File,
    staged: Option<PathBuf>,
    target: PathBuf,
}

/// Staged names end in this and a number, which the local object store never lists.
pub(crate) const STAGED_MARK: char = '#';
/// More staged leftovers for one name than this do not occur.
const STAGED_MAX: u32 = 10_000;

impl StagedFile {
    /// Starts a file that is to be called `target`; missing folders are created and synced.
    pub(crate) fn create(target: &Path) -> io::Result<Self> {
        for number in 1..=STAGED_MAX {
            let mut staged = target.as_os_str().to_owned();
            staged.push(format!("{STAGED_MARK}{number}"));
            let staged = PathBuf::from(staged);
            match OpenOptions::new().read(true).write(true).create_new(true).open(&staged) {
                Ok(file) => return Ok(Self { file, staged: Some(staged), target: target.to_owned() }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => create_folders(parent(target)?)?,
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other(format!("too many staged files for {}", target.display())))
    }

    /// The open file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Syncs the content and makes it visible, instead of what had the name before.
    pub(crate) fn replace(mut self) -> io::Result<()> {
        let staged = self.sync_content()?;
        note_naming(&staged, &self.target);
        std::fs::rename(&staged, &self.target).inspect_err(|_| note_name_settled(&self.target))?;
        self.staged = None;
        self.sync_name()
    }

    /// Syncs the content and makes it visible.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken: what it stands for is left as it is.
    pub(crate) fn create_new(mut self) -> io::Result<()> {
        let staged = self.sync_content()?;
        note_naming(&staged, &self.target);
        std::fs::hard_link(&staged, &self.target).inspect_err(|_| note_name_settled(&self.target))?;
        // A staged name that stays behind does no harm and is swept later.
        let _ = std::fs::remove_file(&staged);
        self.staged = None;
        self.sync_name()
    }

    fn sync_content(&self) -> io::Result<PathBuf> {
        let staged = self.staged.clone().ok_or_else(|| io::Error::other("the upload was aborted"))?;
        note_written(&staged);
        crash_point("store.local.written");
        self.file.sync_all()?;
        SYNCS.fetch_add(1, Ordering::Relaxed);
        note_content_synced(&staged);
        Ok(staged)
    }

    fn sync_name(&self) -> io::Result<()> {
        crash_point("store.local.named");
        sync_folder(parent(&self.target)?)?;
        note_name_settled(&self.target);
        Ok(())
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if let Some(staged) = self.staged.take() {
            // Nobody waits for an abandoned file, and a leftover is swept later.
            let _ = std::fs::remove_file(staged);
        }
    }
}

/// Syncs a folder, so that the names in it are on disk.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    SYNCS.fetch_add(1, Ordering::Relaxed);
    File::open(folder)?.sync_all()
}

static SYNCS: AtomicU64 = AtomicU64::new(0);

/// How many files and folders this process has synced, for metrics and tests.
pub fn sync_count() -> u64 {
    SYNCS.load(Ordering::Relaxed)
}

/// Creates a folder and those above it, each synced into the one that holds it.
pub(crate) fn create_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = parent(folder)?;
    create_folders(above)?;
    match std::fs::create_dir(folder) {
        Ok(()) => {}
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    sync_folder(above)
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::Error::other(format!("{} has no folder", path.display())))
}

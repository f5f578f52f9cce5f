//! What a program under test is told to do: one step a line.
//!
//! Invariant: a step does the calls that its name says and no others, so that
//! a test knows what was synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// One thing to do. Paths are relative to the current folder; numbers are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Opens with O_CREAT and O_TRUNC.
    Create(String),
    Append(String, String),
    WriteAt(String, u64, String),
    /// Writes through a descriptor opened with O_DSYNC.
    WriteDurably(String, String),
    Resize(String, u64),
    Sync(String),
    SyncData(String),
    SyncFolder(String),
    Rename(String, String),
    Link(String, String),
    Symlink(String, String),
    Remove(String),
    MakeFolder(String),
    RemoveFolder(String),
    /// `std::fs::copy`, which prefers copy_file_range and sendfile.
    Copy(String, String),
    /// A temporary file that crate tempfile gives its name with a direct system call.
    Persist(String, String),
    /// Writes into a file whose name is removed while it is open, then syncs it.
    WriteNameless(String, String),
}

impl Step {
    /// The step as a line.
    pub(crate) fn line(&self) -> String {
        let parts: Vec<String> = match self {
            Self::Create(path) => vec!["create".into(), path.clone()],
            Self::Append(path, text) => vec!["append".into(), path.clone(), text.clone()],
            Self::WriteAt(path, at, text) => {
                vec!["write-at".into(), path.clone(), at.to_string(), text.clone()]
            }
            Self::WriteDurably(path, text) => vec!["write-durably".into(), path.clone(), text.clone()],
            Self::Resize(path, size) => vec!["resize".into(), path.clone(), size.to_string()],
            Self::Sync(path) => vec!["sync".into(), path.clone()],
            Self::SyncData(path) => vec!["sync-data".into(), path.clone()],
            Self::SyncFolder(path) => vec!["sync-folder".into(), path.clone()],
            Self::Rename(from, to) => vec!["rename".into(), from.clone(), to.clone()],
            Self::Link(from, to) => vec!["link".into(), from.clone(), to.clone()],
            Self::Symlink(to, path) => vec!["symlink".into(), to.clone(), path.clone()],
            Self::Remove(path) => vec!["remove".into(), path.clone()],
            Self::MakeFolder(path) => vec!["make-folder".into(), path.clone()],
            Self::RemoveFolder(path) => vec!["remove-folder".into(), path.clone()],
            Self::Copy(from, to) => vec!["copy".into(), from.clone(), to.clone()],
            Self::Persist(path, text) => vec!["persist".into(), path.clone(), text.clone()],
            Self::WriteNameless(path, text) => vec!["write-nameless".into(), path.clone(), text.clone()],
        };
        parts.join("\t")
    }

    /// The step that `line` wrote.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split('\t');
        let kind = parts.next()?;
        let first = parts.next()?.to_owned();
        let mut second = || parts.next().map(str::to_owned);
        Some(match kind {
            "create" => Self::Create(first),
            "append" => Self::Append(first, second()?),
            "write-at" => Self::WriteAt(first, second()?.parse().ok()?, second()?),
            "write-durably" => Self::WriteDurably(first, second()?),
            "resize" => Self::Resize(first, second()?.parse().ok()?),
            "sync" => Self::Sync(first),
            "sync-data" => Self::SyncData(first),
            "sync-folder" => Self::SyncFolder(first),
            "rename" => Self::Rename(first, second()?),
            "link" => Self::Link(first, second()?),
            "symlink" => Self::Symlink(first, second()?),
            "remove" => Self::Remove(first),
            "make-folder" => Self::MakeFolder(first),
            "remove-folder" => Self::RemoveFolder(first),
            "copy" => Self::Copy(first, second()?),
            "persist" => Self::Persist(first, second()?),
            "write-nameless" => Self::WriteNameless(first, second()?),
            _ => return None,
        })
    }

    /// Does it.
    pub(crate) fn perform(&self) -> io::Result<()> {
        match self {
            Self::Create(path) => File::create(path).map(drop),
            Self::Append(path, text) => OpenOptions::new().append(true).open(path)?.write_all(text.as_bytes()),
            Self::WriteAt(path, at, text) => {
                OpenOptions::new().write(true).open(path)?.write_all_at(text.as_bytes(), *at)
            }
            Self::WriteDurably(path, text) => write_durably(path, text),
            Self::Resize(path, size) => OpenOptions::new().write(true).open(path)?.set_len(*size),
            Self::Sync(path) | Self::SyncFolder(path) => File::open(path)?.sync_all(),
            Self::SyncData(path) => File::open(path)?.sync_data(),
            Self::Rename(from, to) => fs::rename(from, to),
            Self::Link(from, to) => fs::hard_link(from, to),
            Self::Symlink(to, path) => std::os::unix::fs::symlink(to, path),
            Self::Remove(path) => fs::remove_file(path),
            Self::MakeFolder(path) => fs::create_dir(path),
            Self::RemoveFolder(path) => fs::remove_dir(path),
            Self::Copy(from, to) => fs::copy(from, to).map(drop),
            Self::Persist(path, text) => persist(Path::new(path), text),
            Self::WriteNameless(path, text) => write_nameless(path, text),
        }
    }
}

fn write_durably(path: &str, text: &str) -> io::Result<()> {
    // O_DSYNC is the same number on every architecture that the library knows.
    const O_DSYNC: i32 = 0o10000;
    let mut file = OpenOptions::new().append(true).custom_flags(O_DSYNC).open(path)?;
    file.write_all(text.as_bytes())
}

fn persist(path: &Path, text: &str) -> io::Result<()> {
    let mut file =
        tempfile::NamedTempFile::new_in(path.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn write_nameless(path: &str, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    fs::remove_file(path)?;
    file.seek(SeekFrom::End(0))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let mut all = String::new();
    file.read_to_string(&mut all)?;
    if all.ends_with(text) { Ok(()) } else { Err(io::Error::other("the nameless file lost its bytes")) }
}

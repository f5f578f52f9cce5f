//! Settlement's state in a file of this machine, so that a start reads only
//! the charges that were written since.
//!
//! Invariant: a checkpoint is never the truth. It is used only where the
//! ledger version that it names has the same tree over settlement's rows; one
//! that is damaged, or of another ledger, is passed over.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use prost::Message;
use stempoint_core::settlement::Settlement;
use stempoint_schemas::commit::Commit;
use stempoint_schemas::proto::{SettlementCheckpoint, SettlementState};
use stempoint_store::ledger::{Ledger, LedgerError};

/// The file in the checkpoint's folder: BLAKE3 of the rest, then the message.
const FILE: &str = "checkpoint";
const HASH_BYTES: usize = 32;
/// The ending of a file that is being written.
const DRAFT: &str = ".draft";
/// A draft of this age is what a process left that was killed.
const DRAFT_LIFE: Duration = Duration::from_secs(3600);
/// A checkpoint is written after so many charges.
const CHARGES_MIN: u64 = 1_000_000;

/// Writes checkpoints now and then.
pub struct Checkpoints {
    folder: PathBuf,
    charges: u64,
}

impl Checkpoints {
    /// Checkpoints in a folder, which is created when it is needed.
    pub fn new(folder: PathBuf) -> Checkpoints {
        Checkpoints { folder, charges: 0 }
    }

    /// Counts charges that were written.
    pub fn count(&mut self, charges: usize) {
        self.charges += charges as u64;
    }

    /// Whether so much was written since the last checkpoint that the next one
    /// costs little in comparison.
    pub fn are_due(&self, settlement: &Settlement) -> bool {
        self.charges >= CHARGES_MIN.max(settlement.posted_keys() as u64)
    }

    /// Writes a checkpoint of the state after a ledger version, if anything
    /// was charged since the last one. A failure costs time at the next start
    /// and is only reported.
    pub fn write(&mut self, settlement: &Settlement, head: &Commit) {
        if self.charges == 0 {
            return;
        }
        let checkpoint = SettlementCheckpoint {
            ledger_version: head.version,
            control_offset: head.control_offset,
            settlement_root: head.settlement.root().to_vec(),
            state: Some(settlement.checkpoint()),
        };
        match replace(&self.folder, &checkpoint.encode_to_vec()) {
            Ok(()) => self.charges = 0,
            Err(error) => {
                tracing::warn!(folder = %self.folder.display(), %error, "failed to write settlement's checkpoint");
            }
        }
    }

    /// The checkpoint that fits a ledger, and the control offset below which
    /// it holds everything.
    pub async fn read(&self, ledger: &Ledger, head: &Commit) -> Result<Option<(u64, SettlementState)>, LedgerError> {
        let Some(checkpoint) = read_file(&self.folder.join(FILE)) else { return Ok(None) };
        if checkpoint.control_offset > head.control_offset {
            return Ok(None);
        }
        let version = ledger.version(checkpoint.ledger_version).await?;
        let fits = version.is_some_and(|version| {
            version.control_offset == checkpoint.control_offset
                && version.settlement.root()[..] == checkpoint.settlement_root
        });
        Ok(checkpoint.state.filter(|_| fits).map(|state| (checkpoint.control_offset, state)))
    }
}

/// `None` where there is no file, or it is damaged.
fn read_file(path: &Path) -> Option<SettlementCheckpoint> {
    let bytes = fs::read(path).ok()?;
    let checkpoint = decode(&bytes);
    if checkpoint.is_none() {
        tracing::warn!(path = %path.display(), "settlement's checkpoint is damaged; reading all charges instead");
    }
    checkpoint
}

fn decode(bytes: &[u8]) -> Option<SettlementCheckpoint> {
    let (hash, message) = bytes.split_at_checked(HASH_BYTES)?;
    if blake3::hash(message).as_bytes() != hash {
        return None;
    }
    SettlementCheckpoint::decode(message).ok()
}

/// Two processes may do this at once, each with a file of its own until the
/// end. Without a sync it may be damaged by a power cut, which is noticed.
fn replace(folder: &Path, message: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    remove_drafts_older_than(DRAFT_LIFE, folder);
    let draft = folder.join(format!("{FILE}.{}{DRAFT}", std::process::id()));
    let mut file = File::create(&draft)?;
    file.write_all(blake3::hash(message).as_bytes())?;
    file.write_all(message)?;
    fs::rename(&draft, folder.join(FILE))
}

/// What cannot be looked at or removed now is left to the next time.
fn remove_drafts_older_than(age: Duration, folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old = written.is_ok_and(|written| written.elapsed().is_ok_and(|elapsed| elapsed > age));
        if is_old && entry.file_name().to_string_lossy().ends_with(DRAFT) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_of_killed_processes_are_removed_and_those_of_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, age: Duration| {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(std::time::SystemTime::now() - age).unwrap();
        };
        file("checkpoint.1.draft", 2 * DRAFT_LIFE);
        file("checkpoint.2.draft", DRAFT_LIFE / 2);
        file("another file", 2 * DRAFT_LIFE);
        replace(folder.path(), b"a state").unwrap();
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, ["another file", "checkpoint", "checkpoint.2.draft"]);
    }
}

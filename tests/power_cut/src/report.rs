//! What a power cut took.
//!
//! Invariant: every change that was taken back is in it, so that a failing
//! test can print what the program had to do without.

use std::fmt;
use std::path::PathBuf;

use crate::fate::Mode;
use crate::names::NameChange;

/// What one power cut lost and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What was asked for.
    pub mode: Mode,
    /// What was lost, names first; paths are relative to the root.
    pub losses: Vec<Loss>,
    /// How many changes that were not synced survived.
    pub survived: usize,
}

/// Something that was not synced and is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// A change of names did not happen.
    Name {
        /// The name after the change.
        path: PathBuf,
        /// What was taken back.
        change: NameChange,
    },
    /// Changes of a file's content did not happen, as a whole or in part.
    Content {
        /// A surviving name of the file.
        path: PathBuf,
        /// Writes and resizes lost as a whole.
        edits: usize,
        /// Writes of which the first bytes survived.
        torn: usize,
        /// Written bytes that were lost.
        bytes: u64,
    },
}

impl Report {
    /// Written bytes that were lost in files that survived.
    #[must_use]
    pub fn lost_bytes(&self) -> u64 {
        let bytes = self.losses.iter().map(|loss| match loss {
            Loss::Content { bytes, .. } => *bytes,
            Loss::Name { .. } => 0,
        });
        bytes.sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lost, survived) = (self.losses.len(), self.survived);
        write!(formatter, "power cut, losing {}: {lost} losses, {survived} survivors", self.mode)?;
        self.losses.iter().try_for_each(|loss| write!(formatter, "\n  {loss}"))
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { path, change } => {
                let path = path.display();
                match change {
                    NameChange::Created => write!(formatter, "not created: {path}"),
                    NameChange::Linked => write!(formatter, "not linked: {path}"),
                    NameChange::Removed => write!(formatter, "not removed: {path}"),
                    NameChange::Renamed { from: Some(from) } => {
                        write!(formatter, "not renamed: {} to {path}", from.display())
                    }
                    NameChange::Renamed { from: None } => write!(formatter, "not moved into the root: {path}"),
                    NameChange::Exchanged { with } => {
                        write!(formatter, "not exchanged: {path} and {}", with.display())
                    }
                }
            }
            Self::Content { path, edits, torn, bytes } => {
                let path = path.display();
                write!(formatter, "not written: {bytes} bytes of {path} ({edits} changes lost, {torn} torn)")
            }
        }
    }
}

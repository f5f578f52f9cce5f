//! Which files the tables need now: those that must not be missing.
//!
//! Maintenance removes what was merged into other files and what a checkpoint
//! covers. Whatever else is missing was taken away by somebody.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;
use stempoint_schemas::tables;

use super::Listed;
use crate::StoreError;
use crate::ledger::Ledger;
use crate::log::LOG_FOLDER;

const LAST_CHECKPOINT: &str = "_last_checkpoint";

/// What the tables need.
pub(super) struct Needed {
    tables: HashMap<&'static str, TableNeeds>,
}

struct TableNeeds {
    data: HashSet<String>,
    /// The version of the newest checkpoint.
    checkpoint: Option<u64>,
}

impl Needed {
    /// By the tables as they are now.
    pub(super) async fn read(ledger: &Ledger) -> Result<Needed, StoreError> {
        let mut needed = Needed { tables: HashMap::new() };
        for table in tables::ALL {
            let stored = ledger.table(table);
            let snapshot = stored.refresh().await?;
            let data = snapshot.files().map(|file| file.path.clone()).collect();
            let checkpoint = stored.inner.reader.list().await?.checkpoints.last().map(|checkpoint| checkpoint.version);
            needed.tables.insert(table.name, TableNeeds { data, checkpoint });
        }
        Ok(needed)
    }

    /// Whether a file, named relative to the lake, is needed.
    pub(super) fn has(&self, path: &str) -> bool {
        let Some((table, rest)) = path.split_once('/') else { return false };
        let Some(needs) = self.tables.get(table) else { return false };
        match rest.split_once('/') {
            Some((LOG_FOLDER, LAST_CHECKPOINT)) => needs.checkpoint.is_some(),
            Some((LOG_FOLDER, name)) => {
                version(name).is_some_and(|version| needs.checkpoint.is_none_or(|newest| version >= newest))
            }
            _ => needs.data.contains(rest),
        }
    }
}

/// The version of a log entry or a checkpoint.
fn version(name: &str) -> Option<u64> {
    name.split_once('.').and_then(|(version, _)| version.parse().ok())
}

/// Whether a file that differs from the list was rightly written again. Only
/// the hint at the newest checkpoint ever is: it must point at a checkpoint
/// that is there and came after the list.
pub(super) fn is_rewritten(lake: &Path, path: &str, listed: &[Listed]) -> bool {
    #[derive(Deserialize)]
    struct Hint {
        version: u64,
    }
    let Some(folder) = path.strip_suffix(LAST_CHECKPOINT) else { return false };
    let hint = std::fs::read(lake.join(path)).ok().and_then(|bytes| serde_json::from_slice::<Hint>(&bytes).ok());
    let Some(hint) = hint else { return false };
    let checkpoint = format!("{folder}{:020}.checkpoint.parquet", hint.version);
    let was_there = listed.binary_search_by(|file| file.path.as_str().cmp(&checkpoint)).is_ok();
    !was_there && lake.join(checkpoint).is_file()
}

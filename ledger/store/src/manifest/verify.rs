//! Checking every file of a lake against the manifest.
//!
//! Invariant: every file that is listed is read to its end, whatever its time
//! says; nothing that differs goes without its name.

use std::collections::HashSet;
use std::path::Path;

use stempoint_schemas::commit::Commit;
use stempoint_schemas::head::Head;

use super::needed::{Needed, is_rewritten};
use super::{Manifest, ManifestError, PublicKey, files, text};
use crate::ledger::Ledger;

/// The clock by which a file system gives times may be behind (nanoseconds).
const CLOCK_BEHIND_NS: i64 = 1_000_000_000;

/// What a check found.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The ledger version whose files are all listed.
    pub head: Head,
    /// Who has signed the list.
    pub key: PublicKey,
    /// How many files were hashed.
    pub files: usize,
    /// How many bytes they have.
    pub bytes: u64,
    /// Files that came after the list was made.
    pub newer: Vec<String>,
    /// Files that were removed since because no table needs them.
    pub removed: usize,
    /// What is wrong, each with the file's name.
    pub problems: Vec<String>,
}

/// Checks the files of a lake against the list in `folder`, and the list
/// against the key, where one is given.
///
/// # Errors
/// Where the list is missing or damaged, or a file cannot be read at all.
pub async fn verify(lake: &Path, folder: &Path, key: Option<&PublicKey>) -> Result<Verified, ManifestError> {
    let (manifest, signed_by) = text::read(folder)?.ok_or_else(|| ManifestError::Missing(folder.to_owned()))?;
    let mut found = Verified {
        head: manifest.head,
        key: signed_by,
        files: 0,
        bytes: 0,
        newer: Vec::new(),
        removed: 0,
        problems: Vec::new(),
    };
    if let Some(key) = key.filter(|key| **key != signed_by) {
        found.problems.push(format!("the manifest is signed by {signed_by}, not by {key}"));
    }
    let missing = found.hash_listed(lake, &manifest)?;
    found.look_for_others(lake, &manifest)?;
    // The tables come last: they may be what is broken, and what was removed
    // while the files were read is known by now.
    if let Err(error) = found.judge(lake, &missing).await {
        found.problems.extend(missing.iter().map(|path| format!("{path} is missing")));
        found.problems.push(format!("the tables cannot be read: {error}"));
    }
    Ok(found)
}

impl Verified {
    /// Hashes what is listed; returns what is missing.
    fn hash_listed<'a>(&mut self, lake: &Path, manifest: &'a Manifest) -> Result<Vec<&'a str>, ManifestError> {
        let mut missing = Vec::new();
        for file in &manifest.files {
            let Some((size, hash)) = files::hash(lake, &file.path)? else {
                missing.push(file.path.as_str());
                continue;
            };
            self.files += 1;
            self.bytes += size;
            if hash == file.blake3.0 {
                continue;
            }
            if is_rewritten(lake, &file.path, &manifest.files) {
                self.newer.push(file.path.clone());
            } else if size == file.size {
                self.problems.push(format!("{} was changed: its content is not what was signed", file.path));
            } else {
                self.problems.push(format!("{} was changed: it has {size} of {} bytes", file.path, file.size));
            }
        }
        Ok(missing)
    }

    fn look_for_others(&mut self, lake: &Path, manifest: &Manifest) -> Result<(), ManifestError> {
        let listed: HashSet<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
        let since_ns = manifest.taken_us.saturating_mul(1_000).saturating_sub(CLOCK_BEHIND_NS);
        for file in files::walk(lake)?.files.into_iter().filter(|file| !listed.contains(file.path.as_str())) {
            if file.changed_ns >= since_ns {
                self.newer.push(file.path);
            } else {
                self.problems.push(format!("{} is not listed, but was there before the list was signed", file.path));
            }
        }
        Ok(())
    }

    /// Whether what is missing is needed, and whether the ledger version that
    /// was signed is still the same.
    async fn judge(&mut self, lake: &Path, missing: &[&str]) -> Result<(), ManifestError> {
        let ledger = Ledger::open(lake).await?;
        if !missing.is_empty() {
            let needed = Needed::read(&ledger).await.map_err(crate::ledger::LedgerError::from)?;
            let (lost, removed): (Vec<&str>, Vec<&str>) = missing.iter().partition(|path| needed.has(path));
            self.problems.extend(lost.iter().map(|path| format!("{path} is missing")));
            self.removed = removed.len();
        }
        let version = self.head.version;
        let recorded = ledger.version(version).await?;
        if recorded.as_ref().map(Commit::hash) != Some(self.head.hash.0) {
            self.problems.push(format!("ledger version {version} is not the one that was signed"));
        }
        Ok(())
    }
}

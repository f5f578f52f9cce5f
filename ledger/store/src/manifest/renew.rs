//! Renewing the manifest.
//!
//! Invariant: only names that are on disk are signed, so that a power cut
//! takes none of them; a file that was signed is hashed again only where it
//! looks changed, and then keeps its old hash.

use std::collections::{HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::path::Path;

use stempoint_schemas::head::Head;
use stempoint_schemas::hex::Hex;

use super::files::{self, Found};
use super::key::Signer;
use super::needed::{Needed, is_rewritten};
use super::{Listed, Manifest, ManifestError, PublicKey, text};
use crate::ledger::{Ledger, now_us};
use crate::sync::{create_folders, sync_folder};

/// What a renewal did.
#[derive(Debug, Clone)]
pub struct Renewed {
    /// The ledger version whose files are all listed.
    pub head: Head,
    /// How many files are listed.
    pub files: usize,
    /// How many of them were hashed now.
    pub hashed: usize,
    /// With which key the list was signed.
    pub key: PublicKey,
    /// Files that are not what they were; they stay listed as they were.
    pub problems: Vec<String>,
}

/// Lists the lake's files in `folder`, with a signature. The folder and the
/// key are made if they are not there.
///
/// # Errors
/// [`ManifestError::Damaged`] where the list there cannot be read; otherwise
/// as reading and writing files.
pub async fn renew(ledger: &Ledger, folder: &Path) -> Result<Renewed, ManifestError> {
    let lake = ledger.lake().folder().ok_or(ManifestError::NotLocal)?;
    create_folders(folder).map_err(ManifestError::file("create", folder))?;
    let lock = folder.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&lock);
    let file = file.map_err(ManifestError::file("open", &lock))?;
    // Another renewal takes moments; the lock is free again when `file` is closed.
    file.lock().map_err(ManifestError::file("lock", &lock))?;
    let signer = Signer::load_or_create(folder)?;
    let before = text::read(folder)?.map(|(manifest, _)| manifest.files).unwrap_or_default();
    // The head comes first: the files that it needs were there before it.
    let head = Head::from(&ledger.head().await?);
    let taken_us = now_us();
    let walk = files::walk(lake)?;
    for folder in &walk.folders {
        sync_folder(folder).map_err(ManifestError::file("sync", folder))?;
    }
    let mut renewal = Renewal { lake, before: &before, listed: Vec::new(), hashed: 0, problems: Vec::new() };
    renewal.take_found(walk.files)?;
    renewal.keep_missing(ledger).await?;
    let Renewal { mut listed, hashed, problems, .. } = renewal;
    listed.sort_by(|a, b| a.path.cmp(&b.path));
    let files = listed.len();
    text::write(folder, Manifest { format: text::FORMAT.to_owned(), head, taken_us, files: listed }, &signer)?;
    Ok(Renewed { head, files, hashed, key: signer.public(), problems })
}

struct Renewal<'a> {
    lake: &'a Path,
    before: &'a [Listed],
    listed: Vec<Listed>,
    hashed: usize,
    problems: Vec<String>,
}

impl Renewal<'_> {
    fn take_found(&mut self, found: Vec<Found>) -> Result<(), ManifestError> {
        let before: HashMap<&str, &Listed> = self.before.iter().map(|file| (file.path.as_str(), file)).collect();
        for file in found {
            let old = before.get(file.path.as_str()).copied();
            if let Some(old) = old.filter(|old| (old.size, old.modified_ns) == (file.size, file.modified_ns)) {
                self.listed.push(old.clone());
                continue;
            }
            // It may have been removed just now.
            let Some((size, hash)) = files::hash(self.lake, &file.path)? else { continue };
            self.hashed += 1;
            match old {
                Some(old) if old.blake3.0 != hash && !is_rewritten(self.lake, &file.path, self.before) => {
                    self.problems.push(format!("{} was changed", file.path));
                    self.listed.push(old.clone());
                }
                _ => {
                    self.listed.push(Listed { path: file.path, size, modified_ns: file.modified_ns, blake3: Hex(hash) })
                }
            }
        }
        Ok(())
    }

    /// What is not there any more leaves the list, unless a table needs it.
    async fn keep_missing(&mut self, ledger: &Ledger) -> Result<(), ManifestError> {
        let there: HashSet<&str> = self.listed.iter().map(|file| file.path.as_str()).collect();
        let gone: Vec<&Listed> = self.before.iter().filter(|file| !there.contains(file.path.as_str())).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let needed = Needed::read(ledger).await.map_err(crate::ledger::LedgerError::from)?;
        for file in gone.into_iter().filter(|file| needed.has(&file.path)) {
            // It may have come back meanwhile; it keeps its hash in any case.
            if !fs::exists(self.lake.join(&file.path)).unwrap_or(false) {
                self.problems.push(format!("{} is missing", file.path));
            }
            self.listed.push(file.clone());
        }
        Ok(())
    }
}

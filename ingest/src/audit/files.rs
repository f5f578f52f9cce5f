//! The files of the lake against their signed list (invariant 11).

use std::path::Path;

use stempoint_store::ledger::Ledger;
use stempoint_store::manifest::{ManifestError, verify};

use super::{AuditError, Check};

/// Whether every file is the one that was signed. Books that have no list yet
/// pass: the other checks need none.
pub async fn check(ledger: &Ledger, manifest: &Path) -> Result<Check, AuditError> {
    let mut check = Check::new("files unchanged");
    let lake = ledger.lake().folder().ok_or(ManifestError::NotLocal)?;
    match verify(lake, manifest, None).await {
        Ok(found) => {
            found.problems.into_iter().for_each(|problem| check.problem(problem));
            check.figures = format!(
                "{} files, {} bytes, as signed at ledger version {}; {} newer",
                found.files,
                found.bytes,
                found.head.version,
                found.newer.len()
            );
        }
        Err(ManifestError::Missing(_)) => {
            "no list yet; `stempoint manifest write` signs one".clone_into(&mut check.figures)
        }
        Err(error @ ManifestError::Damaged { .. }) => check.problem(error.to_string()),
        Err(error) => return Err(error.into()),
    }
    Ok(check)
}

//! Taking back the changes of a file's content, and doing the survivors again.
//!
//! Invariant: the edits are taken back last first, each from the size that it
//! left to the size that it found, so that the file holds at every step what
//! it held then.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::fate::Fate;
use crate::history::{Edit, EditKind};

static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// What was lost of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Changes lost as a whole.
    pub(crate) edits: usize,
    /// Writes of which a part survived.
    pub(crate) torn: usize,
    /// Written bytes that were lost.
    pub(crate) bytes: u64,
}

/// What an edit that survives needs to be done again.
enum Redo {
    Write { offset: u64, bytes: Vec<u8> },
    Resize { size: u64 },
}

/// Leaves in the file at `path` the synced edits and those that their fate keeps.
pub(crate) fn restore(path: &Path, edits: &[Edit<'_>], fates: &[Fate]) -> io::Result<Lost> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut size = file.metadata()?.len();
    let mut again = Vec::new();
    let mut lost = Lost::default();
    for (edit, &fate) in edits.iter().zip(fates).rev() {
        let (redo, done_bytes) = survivor(&file, edit, fate, size)?;
        match fate {
            Fate::Lost => lost.edits += 1,
            Fate::Torn(_) => lost.torn += 1,
            Fate::Kept => {}
        }
        lost.bytes += done_bytes;
        again.extend(redo);
        take_back(&file, edit, size)?;
        size = edit.old_size;
    }
    for redo in again.into_iter().rev() {
        match redo {
            Redo::Write { offset, bytes } => file.write_all_at(&bytes, offset)?,
            Redo::Resize { size } => file.set_len(size)?,
        }
    }
    Ok(lost)
}

/// What survives of an edit after which the file has `size`, and how many written bytes do not.
fn survivor(file: &File, edit: &Edit<'_>, fate: Fate, size: u64) -> io::Result<(Option<Redo>, u64)> {
    match edit.kind {
        // A refused one left the size as it was: to do it again would change it.
        EditKind::Resize { .. } => Ok(((fate == Fate::Kept).then_some(Redo::Resize { size }), 0)),
        EditKind::Write { offset, length } => {
            let written = size.saturating_sub(offset).min(length);
            let kept = match fate {
                Fate::Kept => written,
                Fate::Torn(bytes) => bytes.min(written),
                Fate::Lost => 0,
            };
            let mut bytes = vec![0; usize::try_from(kept).map_err(io::Error::other)?];
            file.read_exact_at(&mut bytes, offset)?;
            let redo = (kept > 0).then_some(Redo::Write { offset, bytes });
            Ok((redo, written - kept))
        }
    }
}

fn take_back(file: &File, edit: &Edit<'_>, size: u64) -> io::Result<()> {
    if size != edit.old_size {
        file.set_len(edit.old_size)?;
    }
    // Replaced bytes that are not in the journal were zero.
    if let EditKind::Write { offset, length } = edit.kind {
        let end = offset.saturating_add(length).min(edit.old_size);
        let mut at = offset;
        while at < end {
            let count = usize::try_from(end - at).unwrap_or(ZEROS.len()).min(ZEROS.len());
            file.write_all_at(&ZEROS[..count], at)?;
            at += count as u64;
        }
    }
    for (offset, bytes) in &edit.before {
        file.write_all_at(bytes, *offset)?;
    }
    Ok(())
}

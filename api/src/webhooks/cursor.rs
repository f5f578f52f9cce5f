//! How far a receiver has come: the last alert that it took, in a small file.
//!
//! Invariant: the file moves on only after the receiver has answered, and is
//! synced, so that nothing is left out after a kill or a power cut. Where it
//! is not there everything is sent from the beginning: ids tell repeats.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use stempoint_ingest::settlement::AlertPlace;

/// The file of one receiver.
#[derive(Debug)]
pub(super) struct Cursor {
    folder: PathBuf,
    file: PathBuf,
}

impl Cursor {
    pub(super) fn new(folder: &Path, name: &str) -> Cursor {
        Cursor { folder: folder.to_owned(), file: folder.join(format!("{name}.cursor")) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.file
    }

    /// The last alert that was taken; `None` where there is none, or the file
    /// says nothing that can be understood.
    pub(super) fn read(&self) -> io::Result<Option<AlertPlace>> {
        match fs::read_to_string(&self.file) {
            Ok(text) => {
                let place = parse(&text);
                if place.is_none() {
                    tracing::warn!(file = %self.file.display(), "a webhook's place is damaged; sending all alerts again");
                }
                Ok(place)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes note of the last alert that was taken.
    pub(super) fn write(&self, (offset, line): AlertPlace) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let draft = self.file.with_extension("draft");
        let mut file = File::create(&draft)?;
        writeln!(file, "{offset}:{line}")?;
        file.sync_all()?;
        fs::rename(&draft, &self.file)?;
        File::open(&self.folder)?.sync_all()
    }
}

fn parse(text: &str) -> Option<AlertPlace> {
    let (offset, line) = text.trim().split_once(':')?;
    Some((offset.parse().ok()?, line.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_and_a_damaged_one_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        let cursor = Cursor::new(&folder.path().join("webhooks"), "billing");
        assert_eq!(cursor.read().unwrap(), None);
        cursor.write((12, 3)).unwrap();
        cursor.write((13, 1)).unwrap();
        assert_eq!(cursor.read().unwrap(), Some((13, 1)));
        fs::write(cursor.path(), "13").unwrap();
        assert_eq!(cursor.read().unwrap(), None);
    }
}

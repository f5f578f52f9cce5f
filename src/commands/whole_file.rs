//! A file that is written whole or not at all.
//!
//! Invariant: the name stands for a whole file; one that is not finished is
//! removed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A place to write to: standard output, or a file that gets its name when all
/// is written.
pub enum Output {
    /// Standard output.
    Standard(BufWriter<std::io::Stdout>),
    /// A file beside the one that it will be.
    File(Part),
}

/// A file that is being written.
pub struct Part {
    out: BufWriter<File>,
    part: PathBuf,
    name: PathBuf,
    is_done: bool,
}

impl Output {
    /// The file, or standard output where none is named.
    pub fn to(file: Option<&Path>) -> Result<Output> {
        match file {
            None => Ok(Output::Standard(BufWriter::new(std::io::stdout()))),
            Some(file) => Ok(Output::File(Part::beside(file)?)),
        }
    }

    /// Where to write.
    pub fn writer(&mut self) -> &mut (dyn Write + Send) {
        match self {
            Output::Standard(out) => out,
            Output::File(part) => &mut part.out,
        }
    }

    /// Ends it: what was written is there.
    pub fn finish(self) -> Result<()> {
        match self {
            Output::Standard(mut out) => Ok(out.flush()?),
            Output::File(mut part) => {
                let done = part.out.flush().and_then(|()| std::fs::rename(&part.part, &part.name));
                part.is_done = done.is_ok();
                done.with_context(|| format!("failed to write {}", part.name.display()))
            }
        }
    }
}

impl Part {
    fn beside(file: &Path) -> Result<Part> {
        let name = file.file_name().with_context(|| format!("{} does not name a file", file.display()))?;
        let mut name = name.to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let part = file.with_file_name(name);
        let out = File::create(&part).with_context(|| format!("failed to write {}", file.display()))?;
        Ok(Part { out: BufWriter::new(out), part, name: file.to_owned(), is_done: false })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_done {
            // What is left of it is of no use; that it cannot be removed either adds nothing.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

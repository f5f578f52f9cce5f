//! The processes that share the work, and what may be done to them.

use super::points;
use crate::harness::{Books, Process};

/// A kind of process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worker {
    /// `stempoint ingest` with a deduplication index of its own.
    Ingest(&'static str),
    /// `stempoint settle`.
    Settle,
    /// `stempoint up` on this machine, or on another with the same lake.
    Server { other: bool },
}

/// What becomes of a process at a named step.
#[derive(Debug, Clone, Copy)]
pub enum Fate {
    Dies(&'static str),
    Freezes(&'static str),
}

impl Worker {
    pub fn start(self, books: &Books, fate: Option<Fate>) -> Process {
        let data = if self == (Worker::Server { other: true }) { books.other_data() } else { books.data() };
        let arguments: &[&str] = match self {
            Worker::Ingest(_) => &["ingest", "--commit-interval-ms", "20"],
            Worker::Settle => &["settle", "--settle-interval-s", "0"],
            Worker::Server { .. } => &[
                "up",
                "--listen=127.0.0.1:0",
                "--commit-interval-ms=20",
                "--settle-interval-s=0",
                "--maintenance-interval-s=0",
            ],
        };
        let mut command = books.command_on(&data, arguments);
        if let Worker::Ingest(index) = self {
            command.arg("--index").arg(books.folder().join(index));
        }
        match fate {
            Some(Fate::Dies(point)) => drop(command.env("STEMPOINT_CRASH_AT", point)),
            Some(Fate::Freezes(point)) => drop(command.env("STEMPOINT_FREEZE_AT", point)),
            None => {}
        }
        Process::start(&mut command)
    }

    /// The named steps that it goes through.
    pub fn points(self) -> Vec<&'static str> {
        match self {
            Worker::Ingest(_) => points::INGEST.to_vec(),
            Worker::Settle => points::SETTLEMENT.into_iter().chain(points::LEDGER).collect(),
            Worker::Server { .. } => points::all().chain(points::MAINTENANCE).collect(),
        }
    }

    /// Whether it ends when another one was faster: a server leaves it to
    /// whoever supervises it to start it again.
    pub fn gives_way(self) -> bool {
        matches!(self, Worker::Server { .. })
    }
}

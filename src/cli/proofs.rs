//! The arguments of what makes the books checkable by others: heads, proofs
//! and the manifest of files.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// How a head is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HeadFormat {
    /// One line, VERSION:HASH.
    Text,
    /// For programs.
    Json,
}

/// Options of `head`.
#[derive(Debug, Args)]
pub struct HeadArgs {
    /// The ledger version [default: the newest].
    #[arg(long, value_name = "N")]
    pub version: Option<i64>,
    /// How to print it.
    #[arg(long, value_enum, default_value = "text")]
    pub format: HeadFormat,
}

/// Options of `prove`.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// The event's id; INCARNATION/SEQUENCE where its source is numbered.
    #[arg(required_unless_present_any = ["at", "row"])]
    pub event: Option<String>,
    /// The event's source, where several have an event with this id.
    #[arg(long, requires = "event")]
    pub source: Option<String>,
    /// Instead of an event: whatever became of the record at this place, refused and repeated ones too.
    #[arg(long, value_name = "PARTITION:OFFSET", conflicts_with = "event")]
    pub at: Option<String>,
    /// Instead of an event: a row that settlement wrote. The numbers are its _offset, entry and line.
    #[arg(long, value_name = "TABLE:N[:N[:N]]", conflicts_with_all = ["event", "at"])]
    pub row: Option<String>,
    /// The ledger version whose head was published [default: the newest].
    #[arg(long, value_name = "N")]
    pub version: Option<i64>,
    /// Where to write the proof [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `verify-proof`.
#[derive(Debug, Args)]
pub struct VerifyProofArgs {
    /// The proof.
    pub file: PathBuf,
    /// The published head: VERSION:HASH, the hash alone, or a file with one head in each line.
    #[arg(long, value_name = "HASH|FILE")]
    pub head: Option<String>,
}

/// What to do with the manifest of files.
#[derive(Debug, Subcommand)]
pub enum ManifestCommand {
    /// Hash the files that are new and sign the list of all.
    #[command(after_help = "\
Example:
  stempoint manifest write

`stempoint up` does so after each round of maintenance. The first time it makes the
key with which the list is signed; publish the public key that it prints.")]
    Write,
    /// Hash all files and name those that are not what the list says.
    #[command(after_help = "\
Example:
  stempoint manifest verify --key 9d61b19d…

Files that came after the list was signed are no error, nor are files that
maintenance has removed because no table needs them any more.
Exit codes: 0 all are as listed, 1 it could not be checked, 3 some are not.")]
    Verify {
        /// The public key that was published; without it the list is only checked against the key in the data folder.
        #[arg(long, value_name = "PUBKEY")]
        key: Option<String>,
    },
}

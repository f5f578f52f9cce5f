//! The arguments of `stempoint profile`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::RowFormat;

/// What to do with profiles.
#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Say some of it; the rest stays. An empty text takes an item away.
    #[command(after_help = "\
Example:
  stempoint profile set acme-robotics --name \"Acme Robotics GmbH\" --address \"Ringstr. 1\\n10115 Berlin\" --tax-id DE123456789
  stempoint profile set --file people.csv

Invoices and statements of earnings show it from then on. A file keeps it out of
the shell's history: CSV with the columns party, name, address, tax_id and email
(an empty cell changes nothing), or TOML with [[profile]] tables of the same keys.")]
    Set(ProfileSetArgs),
    /// Show what is known of one party.
    #[command(after_help = "Example:\n  stempoint profile show acme-robotics")]
    Show {
        /// The customer or the provider.
        party: String,
        /// How to print it.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
    },
    /// List all.
    #[command(after_help = "Example:\n  stempoint profile list --format csv")]
    List {
        /// How to print the rows.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
    },
    /// Delete all that is known of one party, old files included.
    #[command(after_help = "\
Example:
  stempoint profile delete acme-robotics

The books stay as they are: they know the party by its pseudonym only, so every
proof and every total stays valid. Backups and printed documents are not reached.")]
    Delete {
        /// The customer or the provider.
        party: String,
    },
}

/// Options of `profile set`.
#[derive(Debug, Args)]
pub struct ProfileSetArgs {
    /// The customer or the provider.
    #[arg(required_unless_present = "file")]
    pub party: Option<String>,
    /// The name on documents.
    #[arg(long)]
    pub name: Option<String>,
    /// The postal address; \n begins a new line.
    #[arg(long)]
    pub address: Option<String>,
    /// The tax id.
    #[arg(long)]
    pub tax_id: Option<String>,
    /// Where documents are sent to.
    #[arg(long)]
    pub email: Option<String>,
    /// Many at once: a CSV or TOML file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["party", "name", "address", "tax_id", "email"])]
    pub file: Option<PathBuf>,
}

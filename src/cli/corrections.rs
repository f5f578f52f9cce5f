//! The arguments of what takes usage events back or charges them otherwise.

use clap::Args;

/// Which usage event.
#[derive(Debug, Args)]
pub struct EventArgs {
    /// The event's id; INCARNATION/SEQUENCE where its source is numbered.
    #[arg(required_unless_present = "at")]
    pub event: Option<String>,
    /// The event's source, where several have an event with this id.
    #[arg(long, requires = "event")]
    pub source: Option<String>,
    /// Instead of an id: the event's place, as _partition and _offset of its table say.
    #[arg(long, value_name = "PARTITION:OFFSET", conflicts_with = "event")]
    pub at: Option<String>,
}

/// Options of `void`.
#[derive(Debug, Args)]
pub struct VoidArgs {
    /// The event.
    #[command(flatten)]
    pub event: EventArgs,
    /// Why, for the record.
    #[arg(long)]
    pub reason: String,
}

/// Options of `amend`.
#[derive(Debug, Args)]
pub struct AmendArgs {
    /// The event.
    #[command(flatten)]
    pub event: EventArgs,
    /// What it should have said, by the field's name in an import; can be given more than once.
    #[arg(long = "set", value_name = "FIELD=VALUE", required = true)]
    pub fields: Vec<String>,
    /// Why, for the record.
    #[arg(long)]
    pub reason: String,
}

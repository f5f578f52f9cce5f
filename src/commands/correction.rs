//! `stempoint void` and `stempoint amend`: one usage event is taken back, or
//! charged as it should have been.

use anyhow::{Context as _, Result, anyhow, bail};
use stempoint_core::control::Act;
use stempoint_core::correction::{CorrectionOrder, Replacement, UsagePlace};
use stempoint_ingest::prove::find_event;
use stempoint_ingest::settlement::usage_event;
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::Quantity;
use stempoint_schemas::tables::{API_CALLS, GPU_USAGE, HEARTBEATS};

use super::rejects;
use crate::access::Access;
use crate::cli::{AmendArgs, EventArgs, VoidArgs};
use crate::context::Context;

/// The fields that say who is meant, and under which dimensions.
const TEXTS: [&str; 6] = ["customer", "provider", "node", "model", "gpu", "region"];

pub fn void(context: &Context, args: &VoidArgs) -> Result<()> {
    send(context, &args.event, &args.reason, None)
}

pub fn amend(context: &Context, args: &AmendArgs) -> Result<()> {
    send(context, &args.event, &args.reason, Some(replacement(&args.fields)?))
}

fn send(context: &Context, event: &EventArgs, reason: &str, replacement: Option<Replacement>) -> Result<()> {
    let access = Access::open(context)?;
    let done = access.settle().and_then(|_| {
        let place = place(&access, event)?;
        let row = usage_event(access.ledger(), place)?
            .with_context(|| format!("no metered usage event stands at {place}; `stempoint sql \"SELECT _partition, _offset, id FROM usage\"` shows them"))?;
        let (source, id, reason) = (row.source, row.id, reason.to_owned());
        access.control(&Act::Correction(CorrectionOrder { place, source, id, reason, replacement }))
    });
    access.report(done)
}

/// Where the event stands.
fn place(access: &Access, event: &EventArgs) -> Result<UsagePlace> {
    let ledger = access.ledger();
    let head = access.block_on(async {
        let head = ledger.head().await?;
        for table in [&API_CALLS, &GPU_USAGE, &HEARTBEATS] {
            ledger.table(table).refresh().await?;
        }
        anyhow::Ok(head)
    })?;
    let (partition, offset) = match (&event.event, &event.at) {
        (Some(id), _) => find_event(ledger, &head, id, event.source.as_deref())?,
        (None, Some(place)) => rejects::parse(place)?,
        (None, None) => bail!("name an event or --at PARTITION:OFFSET"),
    };
    Ok(UsagePlace { partition, offset })
}

/// What the fields say; settlement checks that the event has them.
fn replacement(fields: &[String]) -> Result<Replacement> {
    let mut replacement = Replacement::default();
    let mut named: Vec<&str> = Vec::new();
    for given in fields {
        let (field, value) = given.split_once('=').with_context(|| format!("--set {given:?} is not FIELD=VALUE"))?;
        if named.contains(&field) {
            bail!("--set names {field} twice");
        }
        named.push(field);
        let value = value.to_owned();
        match (field, Dimension::from_name(field)) {
            ("customer", _) => replacement.customer = Some(value),
            ("provider" | "node", _) => replacement.provider = Some(value),
            (_, Some(dimension)) => replacement.dimensions.push((dimension, value)),
            _ => replacement.quantities.push((meter(field)?, quantity(field, &value)?)),
        }
    }
    Ok(replacement)
}

/// The meter that a field of an event counts in.
fn meter(field: &str) -> Result<Meter> {
    let counted = |meter: &Meter| *meter != Meter::Requests;
    Meter::ALL.into_iter().filter(counted).find(|meter| meter.counted_in().1 == field).ok_or_else(|| {
        let quantities = Meter::ALL.into_iter().filter(counted).map(|meter| meter.counted_in().1);
        let known: Vec<&str> = TEXTS.into_iter().chain(quantities).collect();
        anyhow!("no field {field:?} of an event can be set; those that can are {}", known.join(", "))
    })
}

fn quantity(field: &str, value: &str) -> Result<Quantity> {
    Quantity::parse(value).map_err(|error| anyhow!("--set {field}={value:?}: {error}"))
}

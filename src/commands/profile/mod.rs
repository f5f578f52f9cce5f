//! `stempoint profile`: who the parties are, as people.
//!
//! Profiles are no part of the books: they are read and changed directly,
//! whoever holds the data folder, because their table's own commits keep
//! writers apart.
//!
//! Invariant: no value of a profile is in an error or a log line.

mod file;

use std::io::BufWriter;

use anyhow::{Result, bail};
use stempoint_query::output;
use stempoint_schemas::profile::{Change, Item, Profile};
use stempoint_store::Lake;
use stempoint_store::profiles::{All, Profiles, rows};

use crate::cli::{ProfileCommand, ProfileSetArgs, RowFormat};
use crate::context::Context;
use crate::print::Output;

pub fn run(context: &Context, command: &ProfileCommand) -> Result<()> {
    match command {
        ProfileCommand::Set(args) => set(context, args),
        ProfileCommand::Show { party, format } => match of(context, party)? {
            Some(profile) => print(&All::from([(party.clone(), profile)]), *format),
            None => bail!("there is no profile of {party:?}; `stempoint profile list` shows all"),
        },
        ProfileCommand::List { format } => print(&all(context)?, *format),
        ProfileCommand::Delete { party } => delete(context, party),
    }
}

/// What is known of a party.
pub fn of(context: &Context, party: &str) -> Result<Option<Profile>> {
    Ok(all(context)?.remove(party))
}

/// All profiles by party.
pub fn all(context: &Context) -> Result<All> {
    context.runtime.block_on(async {
        match open(context).await? {
            Some(profiles) => Ok(profiles.all().await?),
            None => Ok(All::new()),
        }
    })
}

/// The table, if there is one; asking makes none.
async fn open(context: &Context) -> Result<Option<Profiles>> {
    if !context.data.lake().is_dir() {
        return Ok(None);
    }
    Ok(Profiles::open(&Lake::open_local(context.data.lake())?).await?)
}

fn set(context: &Context, args: &ProfileSetArgs) -> Result<()> {
    let changes = match (&args.file, &args.party) {
        (Some(file), _) => file::read(file)?,
        (None, Some(party)) => vec![change(args, party)?],
        (None, None) => bail!("name a party, or a file with --file"),
    };
    let changed = context.runtime.block_on(async {
        let profiles = Profiles::open_or_create(&Lake::open_local(context.data.lake())?).await?;
        anyhow::Ok(profiles.change(|all| apply(all, &changes)).await?)
    })?;
    match changes.as_slice() {
        [one] if changed == 0 => println!("the profile of {} says so already", one.party()),
        [one] => println!("the profile of {} is set", one.party()),
        all => println!("{changed} of {} profiles changed", all.len()),
    }
    Ok(())
}

fn change(args: &ProfileSetArgs, party: &str) -> Result<Change> {
    let address = args.address.as_ref().map(|address| address.replace("\\n", "\n"));
    let given =
        [(Item::Name, &args.name), (Item::Address, &address), (Item::TaxId, &args.tax_id), (Item::Email, &args.email)];
    let mut change = Change::of(party)?;
    for (item, value) in given {
        if let Some(value) = value {
            change = change.with(item, value)?;
        }
    }
    if change.is_empty() {
        bail!("nothing is said of {party:?}: give --name, --address, --tax-id or --email");
    }
    Ok(change)
}

/// Applies changes; says how many made a difference.
fn apply(all: &mut All, changes: &[Change]) -> usize {
    let mut changed = 0;
    for change in changes {
        let before = all.get(change.party()).cloned().unwrap_or_default();
        let mut after = before.clone();
        after.apply(change);
        changed += usize::from(after != before);
        if after.is_empty() {
            all.remove(change.party());
        } else {
            all.insert(change.party().to_owned(), after);
        }
    }
    changed
}

fn delete(context: &Context, party: &str) -> Result<()> {
    let deleted = context.runtime.block_on(async {
        match open(context).await? {
            // What an earlier attempt left is removed too.
            Some(profiles) => anyhow::Ok(profiles.change(|all| all.remove(party).is_some()).await?),
            None => Ok(false),
        }
    })?;
    if deleted {
        println!("the profile of {party} is deleted, old files included");
    } else {
        println!("there is no profile of {party:?}, and no old file");
    }
    Ok(())
}

fn print(all: &All, format: RowFormat) -> Result<()> {
    let rows = rows(all)?;
    let mut out = BufWriter::new(Output);
    output::write_batches(rows.schema(), &[rows], format.into(), &mut out)?;
    Ok(())
}

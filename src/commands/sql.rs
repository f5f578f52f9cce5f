//! `stempoint sql`: a question to one ledger version.

use std::io::{BufWriter, Write};

use anyhow::Result;
use arrow::array::AsArray;
use stempoint_query::output::{self, Format};
use stempoint_query::{Engine, EngineOptions, LedgerFiles, Session};
use stempoint_schemas::tables::{self, COMMITS};
use stempoint_store::ledger::Ledger;

use crate::cli::{RowFormat, SqlArgs};
use crate::context::Context;
use crate::print::Output;

pub fn run(context: &Context, args: &SqlArgs) -> Result<()> {
    print(context, &args.query, args.format, args.version)
}

/// Asks and prints.
pub fn print(context: &Context, query: &str, format: RowFormat, version: Option<i64>) -> Result<()> {
    context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        let session = session(&ledger, version).await?;
        let rows = session.sql(query).await?;
        let mut out = BufWriter::new(Output);
        output::write(rows, format.into(), &mut out).await?;
        out.flush()?;
        Ok(())
    })
}

/// The texts in the first column of what a query gives.
pub fn texts(context: &Context, query: &str) -> Result<Vec<String>> {
    let batches = context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        anyhow::Ok(session(&ledger, None).await?.rows(query).await?)
    })?;
    let columns = batches.iter().filter_map(|batch| batch.column(0).as_string_view_opt());
    Ok(columns.flat_map(|column| column.iter().flatten().map(str::to_owned)).collect())
}

/// A session that sees one ledger version; the newest where none is named.
pub async fn session(ledger: &Ledger, version: Option<i64>) -> Result<Session> {
    // The commits first: what they show is in the tables that are read after them.
    let commits: Vec<_> = ledger.table(&COMMITS).refresh().await?.files().cloned().collect();
    let mut files = LedgerFiles::new().with(&COMMITS, commits.iter().cloned());
    for table in tables::ALL.into_iter().filter(|table| table.name != COMMITS.name) {
        files = files.with(table, ledger.table(table).refresh().await?.files().cloned());
    }
    let engine = Engine::new(ledger.lake().object_store(), ledger.lake().url(), EngineOptions::default())?;
    let pin = engine.pin(&commits, version).await?;
    Ok(engine.session(pin, &files)?)
}

impl From<RowFormat> for Format {
    fn from(format: RowFormat) -> Format {
        match format {
            RowFormat::Table => Format::Table,
            RowFormat::Csv => Format::Csv,
            RowFormat::Json => Format::Json,
        }
    }
}

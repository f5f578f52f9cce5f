//! `stempoint prices`: put a price book in force, or list prices.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use stempoint_core::book::PriceBook;
use stempoint_core::control::Act;
use stempoint_core::price_file;
use stempoint_ingest::settlement::StoredControl;

use super::sql;
use crate::access::Access;
use crate::cli::PricesCommand;
use crate::context::Context;

pub fn run(context: &Context, command: &PricesCommand) -> Result<()> {
    match command {
        PricesCommand::Apply { file } => apply(context, file),
        PricesCommand::List { format } => sql::print(
            context,
            "SELECT prices.price, currency, effective_from, meter, customer, model, gpu, region, per, amount, \
             provider_share FROM prices LEFT JOIN price_customers ON price_customers.price = prices.price \
             ORDER BY effective_from, prices._offset, prices.line",
            *format,
            None,
        ),
        PricesCommand::Models { format } => sql::print(
            context,
            "SELECT price, charge_model, tier, above, up_to, amount, flat, percent, minimum \
             FROM charge_models ORDER BY _offset, line",
            *format,
            None,
        ),
        PricesCommand::Shares { format } => sql::print(
            context,
            "SELECT DISTINCT share AS n, owner_shares._offset AS book, currency, effective_from, owner,              owner_shares.meter, owner_shares.model, owner_shares.gpu, owner_shares.region, provider, part              FROM owner_shares JOIN prices ON prices._offset = owner_shares._offset              ORDER BY effective_from, book, n, provider",
            *format,
            None,
        ),
    }
}

/// Reads a price book; an error names the file and the line.
pub fn read(file: &Path) -> Result<PriceBook> {
    let bytes = std::fs::read(file).with_context(|| format!("failed to read {}", file.display()))?;
    price_file::read(&bytes).map_err(|error| anyhow!("{}, {error}", file.display()))
}

fn apply(context: &Context, file: &Path) -> Result<()> {
    let book = read(file)?;
    let prices = if book.prices.len() == 1 { "1 price".to_owned() } else { format!("{} prices", book.prices.len()) };
    let summary = format!("{prices} in {} from {} on", book.currency, book.effective_from.start());
    let access = Access::open(context)?;
    let done = access.control(&Act::PriceBook(book));
    access.report(done.map(|row| StoredControl { message: format!("{summary}: {}", row.message), ..row }))
}

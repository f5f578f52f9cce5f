//! `stempoint period`: close a month, or list months.

use anyhow::Result;
use stempoint_core::control::Act;
use stempoint_ingest::settlement::StoredControl;
use stempoint_schemas::time::Month;
use stempoint_schemas::watermark::Watermarks;

use super::sql;
use crate::access::Access;
use crate::cli::PeriodCommand;
use crate::context::Context;
use crate::progress::Progress;

pub fn run(context: &Context, command: &PeriodCommand) -> Result<()> {
    match command {
        PeriodCommand::Close { period } => close(context, Month::parse(period)?),
        PeriodCommand::List { format } => sql::print(
            context,
            "SELECT period, max(changed_at) FILTER (WHERE state = 'closing') AS closing_at, \
             max(changed_at) FILTER (WHERE state = 'closed') AS closed_at, max(settled) AS settled \
             FROM periods GROUP BY period ORDER BY period",
            *format,
            None,
        ),
    }
}

/// Fixes the month's usage unless that was done, and closes it if nothing of
/// it waits for a price.
fn close(context: &Context, month: Month) -> Result<()> {
    let access = Access::open(context)?;
    let done = close_with(&access, month);
    println!("{}", access.finish(done)?);
    Ok(())
}

fn close_with(access: &Access, month: Month) -> Result<String> {
    let periods = access.periods()?;
    if periods.last_closed().is_some_and(|last| month <= last) {
        return Ok(format!("{month} is closed already; what arrives late is billed in an open month"));
    }
    if periods.closing() != Some(month) {
        let row = begin(access, month)?;
        eprintln!("{} (control event {})", row.message, row.offset);
    }
    let StoredControl { message, offset, .. } = finish(access, month)?;
    Ok(format!("{message} (control event {offset})"))
}

/// Fixes what has arrived as the month's usage and settles it.
pub fn begin(access: &Access, month: Month) -> Result<StoredControl> {
    let ends = access.ends()?;
    let records = |watermarks: &Watermarks| watermarks.iter().map(|(_, offset)| offset).sum();
    let progress = Progress::new("folding", records(&ends));
    let visible = access.wait_visible(&ends, |head| progress.set(records(&head.visible())));
    progress.done();
    visible?;
    access.control(&Act::Closing(month, ends))
}

/// Closes the month for good.
pub fn finish(access: &Access, month: Month) -> Result<StoredControl> {
    access.control(&Act::Closed { period: month, has_statements: true })
}

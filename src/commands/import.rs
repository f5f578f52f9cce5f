//! `stempoint import`: the rows of a file as events of one source.

use anyhow::{Context as _, Result, anyhow, bail};
use stempoint_ingest::log::{Batch, Topic, partition_of};
use stempoint_query::import::{Import, ImportError};
use stempoint_schemas::commit::Counts;
use stempoint_schemas::event::{EventKind, check_source};
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::ledger::{Ledger, LogRows, RowOutcome};

use crate::access::Access;
use crate::cli::ImportArgs;
use crate::context::Context;
use crate::progress::Progress;

/// Records that are appended together, and their bytes.
const BATCH_RECORDS: usize = 5_000;
const BATCH_BYTES: usize = 8 << 20;

pub fn run(context: &Context, args: &ImportArgs) -> Result<()> {
    let kind = EventKind::from_name(&args.kind)
        .ok_or_else(|| anyhow!("event type {:?} is not known, use api_call, gpu_usage or heartbeat", args.kind))?;
    let source = format!("import/{}", args.source);
    if args.source.is_empty() || check_source(Some(source.as_bytes())).is_err() {
        bail!("--source must be 1 to 249 bytes of printable text");
    }
    let import = context.runtime.block_on(Import::open(&args.file, kind, &args.select))?;
    let access = Access::open(context)?;
    let done = send(context, &access, import, &source);
    let counts = access.finish(done)?;
    println!(
        "received {}, accepted {}, duplicate {}, rejected {}",
        counts.received, counts.accepted, counts.duplicate, counts.rejected
    );
    if counts.rejected > 0 {
        println!("see what was refused: stempoint rejects list");
    }
    Ok(())
}

fn send(context: &Context, access: &Access, import: Import, source: &str) -> Result<Counts> {
    let before = access.ends()?;
    let progress = Progress::new("importing", 0);
    let mut ends = Watermarks::default();
    let (mut batch, mut sent) = (Batch::new(), 0u64);
    let rows = import.rows::<Failure>(|value| {
        batch.push(source.as_bytes(), value);
        if batch.len() >= BATCH_RECORDS || batch.bytes() >= BATCH_BYTES {
            sent += batch.len() as u64;
            ends = ends.merged(&access.append(Topic::Usage, std::mem::take(&mut batch))?);
            progress.set_total(sent);
            progress.set(sent);
        }
        Ok(())
    });
    let read = context.runtime.block_on(rows).map_err(|Failure(error)| error);
    read.with_context(|| match sent {
        0 => "nothing was imported".to_owned(),
        _ => format!("only the first {sent} rows were imported; import again once it is mended, nothing counts twice"),
    })?;
    if !batch.is_empty() {
        ends = ends.merged(&access.append(Topic::Usage, batch)?);
    }
    if ends.is_empty() {
        return Ok(Counts::default());
    }
    let head = access.wait_visible(&ends, |_| ())?;
    progress.done();
    // Not as the ledger was opened: it may have been empty then.
    let partitions = u32::try_from(head.shards.len()).unwrap_or(u32::MAX);
    let partition = partition_of(source.as_bytes(), partitions);
    context.runtime.block_on(outcomes(access.ledger(), source, partition, before.get(partition), ends.get(partition)))
}

/// What became of this source's records, from the tables.
async fn outcomes(ledger: &Ledger, source: &str, partition: u32, from: u64, to: u64) -> Result<Counts> {
    for table in stempoint_ingest::fold::INGEST_TABLES {
        ledger.table(table).refresh().await?;
    }
    let mut counts = Counts::default();
    let mut rows = LogRows::new(ledger, partition, from, to, false);
    while rows.next(|row| {
        if row.source == Some(source) {
            counts.received += 1;
            match row.outcome {
                RowOutcome::Accepted(_) => counts.accepted += 1,
                RowOutcome::Duplicate { .. } => counts.duplicate += 1,
                RowOutcome::Rejected { .. } => counts.rejected += 1,
            }
        }
    })? {}
    Ok(counts)
}

/// Any failure while rows are read and appended.
struct Failure(anyhow::Error);

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Failure {
        Failure(error.into())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure(error)
    }
}

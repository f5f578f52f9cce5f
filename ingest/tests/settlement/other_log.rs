//! Guards invariant 11 (the hash of the record below each watermark): a log as
//! long as the ledger's, with another record where the ledger ends, is not read
//! on from.

use std::sync::Arc;
use std::time::Duration;

use stempoint_ingest::Unwatched;
use stempoint_ingest::fold::{FoldOptions, FoldService};
use stempoint_ingest::log::embedded::{EmbeddedLog, EmbeddedOptions};
use stempoint_ingest::log::{Batch, EventLog, Limits, Topic};
use stempoint_ingest::settlement::SettleService;
use stempoint_schemas::watermark::Watermarks;

use crate::folded::{Folded, seed};

/// Which topic of the copy ends with another record.
type Changed = Option<Topic>;

#[test]
fn a_log_that_ends_with_another_record_is_refused() {
    let folded = Folded::new(seed());
    folded.ask(&folded.ends);
    folded.settle(folded.options(), &folded.ends);
    for (name, changed) in [("same", None), ("usage", Some(Topic::Usage)), ("control", Some(Topic::Control))] {
        let log = copy(&folded, name, changed);
        let refused = |topic: Topic, answer: Result<(), String>| match answer {
            Ok(()) => assert_ne!(changed, Some(topic), "{topic} is read on from"),
            Err(error) => {
                assert_eq!(changed, Some(topic), "{error}");
                assert!(error.contains("is not the one that was folded"), "{error}");
            }
        };
        let options = FoldOptions::new(folded.folder.path().join("index"));
        let fold = FoldService::start(&folded.ledger, &log, options, folded.runtime.handle(), Arc::new(Unwatched));
        let fold = fold.map(|service| service.stop().expect("the fold worked"));
        refused(Topic::Usage, fold.map_err(|error| error.to_string()));
        let runtime = folded.runtime.handle();
        let settle = SettleService::start(&folded.ledger, &log, folded.options(), runtime, Arc::new(Unwatched));
        let settle = settle.map(|service| service.stop().expect("settlement worked"));
        refused(Topic::Control, settle.map_err(|error| error.to_string()));
    }
}

/// A log with the same records, but for the last one below a watermark.
fn copy(folded: &Folded, name: &str, changed: Changed) -> Arc<dyn EventLog> {
    let folder = folded.folder.path().join(name);
    let log = EmbeddedLog::open(&folder, EmbeddedOptions::default()).expect("the log opens");
    for topic in [Topic::Usage, Topic::Control] {
        let ends = folded.log.ends(topic).expect("the log has ends");
        let mut left = (changed == Some(topic)).then_some(());
        for (partition, end) in Watermarks::from_vec(ends.clone()).iter().filter(|(_, end)| *end > 0) {
            let mut reader = folded.log.reader(topic, partition, 0).expect("the log can be read");
            let limits = Limits { records_max: 10_000, bytes_max: 64 << 20 };
            while reader.position() < end {
                let mut batch = Batch::new();
                let read = reader.poll(limits, Duration::from_secs(10), &mut |record| {
                    let mut value = record.value.to_vec();
                    if record.offset + 1 == end && left.take().is_some() {
                        value.push(0);
                    }
                    batch.push(record.key.expect("each record has a key"), &value);
                });
                read.expect("the log can be read");
                log.submit(topic, batch).wait().expect("the log takes the batch");
            }
        }
        assert_eq!(log.ends(topic).expect("the log has ends"), ends);
    }
    Arc::new(log)
}

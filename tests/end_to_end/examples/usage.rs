//! Usage events: from a CloudEvent to its row and back.

use serde_json::{Value, json};
use stempoint_ingest::dedup::{IndexOptions, ShardIndex};
use stempoint_ingest::fold::{Chunk, Shard};
use stempoint_ingest::log::{RecordRef, partition_of};
use stempoint_schemas::commit::Shard as ShardState;
use stempoint_schemas::event::EventKind;
use stempoint_schemas::hash::{content_hash, fingerprint, hex};
use stempoint_schemas::row::UsageRows;
use stempoint_schemas::time::Instant;
use stempoint_schemas::{cloudevents, wire};

use crate::rows::texts;

/// As many as the embedded log has.
const PARTITIONS: u32 = 4;

/// Everything that follows from a CloudEvent that the log records at a time.
pub fn follow(input: &Value) -> Value {
    let recorded = input["recorded_at"].as_str().and_then(|text| Instant::parse(text).ok()).expect("recorded_at");
    let body = serde_json::to_vec(&input["event"]).expect("an event is JSON");
    let (mut key, mut bytes) = (String::new(), Vec::new());
    cloudevents::read(&body, recorded, |source, event| {
        key = source.to_owned();
        wire::encode(event, &mut bytes);
    })
    .unwrap_or_else(|error| panic!("{input}: {error}"));

    let decoded = wire::decode(&bytes).expect("what was encoded can be decoded");
    assert!(decoded.canonical, "{input}");
    let content = content_hash(key.as_bytes(), &bytes);
    let (row, leaf) = fold(&key, &bytes, recorded, decoded.event.payload.kind());
    json!({
        "key": key,
        "bytes": hex(&bytes),
        "content_hash": hex(&content),
        "fingerprint": format!("{:016x}", fingerprint(&content)),
        "table": decoded.event.payload.kind().table(),
        "row": row,
        "leaf": leaf,
    })
}

/// Folds the record as the first of its partition; gives its row, and its leaf
/// in the Merkle tree. The row must give the bytes back.
fn fold(key: &str, bytes: &[u8], recorded: Instant, kind: EventKind) -> (Value, String) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let index = ShardIndex::open(folder.path(), 0, &IndexOptions::default()).expect("an index can be made");
    let partition = partition_of(key.as_bytes(), PARTITIONS);
    let mut shard = Shard::new(partition, PARTITIONS, index, ShardState::default(), Default::default());
    let mut chunk = Chunk::default();
    chunk.push(RecordRef { offset: 0, time_us: recorded.us(), key: Some(key.as_bytes()), value: bytes });
    shard.fold(&chunk, 1).expect("a record never stops the fold");
    // A tree of one leaf has the leaf as its root.
    let leaf = hex(&shard.state().tree.root());
    let batches = shard.take_rows().expect("rows can be built");
    let [(table, batch)] = batches.as_slice() else { panic!("a record is a row of one table") };
    let row = texts(batch).pop().expect("the row is there");
    assert_eq!(table.name, kind.table(), "{row:?}");

    let plain = crate::rows::plain_batch(batch);
    let rows = UsageRows::new(kind, &plain).expect("the row can be read back");
    let mut again = Vec::new();
    wire::encode(&rows.event(0).expect("the row is an event"), &mut again);
    assert_eq!((rows.source(0), hex(&again)), (key, hex(bytes)), "the row gives the event back");
    (json!(row), leaf)
}

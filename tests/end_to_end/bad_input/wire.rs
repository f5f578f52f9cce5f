//! Records of the usage topic as any producer could put them there, through
//! the decoder, the rules and the deduplication of the ingest fold.

use serde::Deserialize;
use stempoint_ingest::dedup::{IndexOptions, ShardIndex};
use stempoint_ingest::fold::{Chunk, Shard};
use stempoint_ingest::log::{RecordRef, partition_of};
use stempoint_schemas::commit::Shard as ShardState;
use stempoint_schemas::hash::hex;
use stempoint_schemas::time::Instant;

use super::cases::{File, Wrong, expand, files, unhex};
use super::recipe::assemble;
use crate::rows::{Row, texts};

const PARTITIONS: u32 = 4;
/// When the log records a case that does not say so.
const RECORDED_AT: &str = "2024-02-29T12:00:00Z";

/// A record and what must become of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    name: String,
    /// The source; one of the case's own where there is none.
    key: Option<String>,
    #[serde(default)]
    no_key: bool,
    /// Where it arrives; the partition of its key where it does not say so.
    partition: Option<u32>,
    recorded_at: Option<String>,
    recipe: String,
    /// The same bytes once more, for those who have no recipe at hand.
    hex: Option<String>,
    /// accepted, duplicate, or the reason why it is refused.
    outcome: String,
    #[serde(default)]
    detail: String,
}

/// Several records that belong together.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    name: String,
    record: Vec<Sent>,
}

#[test]
fn each_record_is_refused_for_its_reason() {
    let mut wrong = Wrong::default();
    for file in files::<Sent>("wire") {
        let mut fold = Fold::new();
        for (number, sent) in file.cases.iter().enumerate() {
            fold.case(&file, &sent.name, sent, number, &[], &mut wrong);
            fold.good_event();
        }
        fold.nothing_else_was_lost();
    }
    wrong.must_be_none();
}

#[test]
fn each_story_ends_as_it_is_told() {
    let mut wrong = Wrong::default();
    for file in files::<Story>("wire_story") {
        let mut fold = Fold::new();
        for (number, story) in file.cases.iter().enumerate() {
            let mut offsets = Vec::new();
            for sent in &story.record {
                let label = format!("{}: {}", story.name, sent.name);
                offsets.push(fold.case(&file, &label, sent, number, &offsets, &mut wrong));
                fold.good_event();
            }
        }
        fold.nothing_else_was_lost();
    }
    wrong.must_be_none();
}

/// The shards of a topic, with the offsets at which they go on.
struct Fold {
    shards: Vec<(Shard, u64)>,
    good: u64,
    _folder: tempfile::TempDir,
}

impl Fold {
    fn new() -> Fold {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let shard = |partition: u32| {
            let index = folder.path().join(partition.to_string());
            let index = ShardIndex::open(&index, 0, &IndexOptions::default()).expect("an index can be made");
            (Shard::new(partition, PARTITIONS, index, ShardState::default(), Default::default()), 0)
        };
        Fold { shards: (0..PARTITIONS).map(shard).collect(), good: 0, _folder: folder }
    }

    /// Folds one record and gives its offset and its row.
    fn record(&mut self, partition: u32, key: Option<&[u8]>, value: &[u8], recorded_at: &str) -> (u64, String, Row) {
        let (shard, next) = &mut self.shards[partition as usize];
        let offset = *next;
        let time_us = Instant::parse(recorded_at).expect("recorded_at is a time").us();
        let mut chunk = Chunk::default();
        chunk.push(RecordRef { offset, time_us, key, value });
        *next += 1;
        shard.fold(&chunk, *next).expect("no record stops the fold");
        let batches = shard.take_rows().expect("rows can be built");
        shard.committed(*next).expect("the index can be written");
        let [(table, batch)] = batches.as_slice() else { panic!("a record is a row of one table") };
        let row = texts(batch).pop().expect("the row is there");
        (offset, table.name.to_owned(), row)
    }

    /// Folds the record of a case and compares what became of it; gives its
    /// offset.
    fn case<C>(
        &mut self,
        file: &File<C>,
        label: &str,
        sent: &Sent,
        number: usize,
        offsets: &[u64],
        wrong: &mut Wrong,
    ) -> u64 {
        let value = assemble(&sent.recipe, &file.recipes, number);
        if let Some(bytes) = &sent.hex {
            wrong.unless_equal(&file.name, label, bytes, &hex(&value));
        }
        let own_source = format!("{}/{number}", file.name);
        let key = (!sent.no_key).then(|| expand(sent.key.as_deref().unwrap_or(&own_source), number));
        let belongs_on = partition_of(key.as_deref().unwrap_or_default(), PARTITIONS);
        let partition = sent.partition.unwrap_or(belongs_on);
        let recorded_at = sent.recorded_at.as_deref().unwrap_or(RECORDED_AT);
        let (offset, table, row) = self.record(partition, key.as_deref(), &value, recorded_at);
        let text = |column: &str| row.get(column).and_then(Option::as_deref).unwrap_or_default();
        let outcome = match table.as_str() {
            "rejects" => text("reason"),
            "duplicates" => "duplicate",
            _ => "accepted",
        };
        wrong.unless_equal(&file.name, label, &sent.outcome, outcome);
        wrong.unless_equal(&file.name, label, &with_offsets(&sent.detail, offsets), text("detail"));
        if table == "rejects" {
            assert_eq!(unhex(text("raw")), value, "{}: the bytes are kept as they came", label);
            assert_eq!(row["key"].as_deref().map(unhex), key, "{}: the key is kept as it came", label);
        }
        offset
    }

    /// An event that must be accepted whatever came before it.
    fn good_event(&mut self) {
        self.good += 1;
        let source = format!("good/{}", self.good % 7);
        let recipe = format!(
            r#"1: {{"good-{}"}} 4: 1709208000000000i64 5: {{1: {{"acme"}} 2: {{"m"}} 3: {{"n"}} 4: 1 5: 1}}"#,
            self.good
        );
        let value = assemble(&recipe, &Default::default(), 0);
        let partition = partition_of(source.as_bytes(), PARTITIONS);
        let (_, table, _) = self.record(partition, Some(source.as_bytes()), &value, RECORDED_AT);
        assert_eq!(table, "api_calls", "a good event after a bad one");
    }

    fn nothing_else_was_lost(&self) {
        for (shard, next) in &self.shards {
            let state = shard.state();
            let counts = state.counts;
            assert_eq!(counts.received, *next);
            assert_eq!(counts.received, counts.accepted + counts.duplicate + counts.rejected);
            assert_eq!(state.tree.size(), counts.received);
        }
    }
}

/// Replaces `<<offset:0>>` by the offset of a story's first record, and so on.
fn with_offsets(detail: &str, offsets: &[u64]) -> String {
    let replace = |text: String, (record, offset): (usize, &u64)| {
        text.replace(&format!("<<offset:{record}>>"), &offset.to_string())
    };
    offsets.iter().enumerate().fold(detail.to_owned(), replace)
}

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use proptest::prelude::*;

use super::*;
use crate::canonical::CanonicalRows;
use crate::commit::Shard;
use crate::event::{ApiCall, Event, GpuUsage, Heartbeat, Identity, Payload};
use crate::hash::{Tree, settlement_leaf};
use crate::inclusion::PathTree;
use crate::tables::{Kind, SETTLEMENT, Table};
use crate::time::Instant;
use crate::wire;

fn event(payload: Payload<'_>) -> Vec<u8> {
    let time = Instant::from_us(1_700_000_000_000_001).unwrap();
    let mut bytes = Vec::new();
    wire::encode(&Event { identity: Identity::Named("call-1"), time, payload }, &mut bytes);
    bytes
}

fn place() -> Place {
    Place::new(1, 40, 1_700_000_000_500_000)
}

/// A row with a value of its own in each column, nulls in every second one
/// that can be null.
fn settled(table: &'static Table) -> Vec<u8> {
    let columns: Vec<ArrayRef> = (1..)
        .zip(table.columns)
        .map(|(number, column)| {
            let there = !column.nullable || number % 2 == 0;
            let array: ArrayRef = match column.kind {
                Kind::Int => Arc::new(Int32Array::from(vec![there.then_some(number)])),
                Kind::Long => Arc::new(Int64Array::from(vec![there.then_some(i64::from(number))])),
                Kind::Text => Arc::new(StringArray::from(vec![there.then_some("text")])),
                Kind::Bytes => Arc::new(BinaryArray::from(vec![there.then_some(&b"bytes"[..])])),
                Kind::Bool => Arc::new(BooleanArray::from(vec![there.then_some(true)])),
                Kind::Time => Arc::new(TimestampMicrosecondArray::from(vec![there.then_some(1)]).with_timezone("UTC")),
                Kind::Decimal(precision, scale) => Arc::new(
                    Decimal128Array::from(vec![there.then_some(-1_500_000_000_000)])
                        .with_precision_and_scale(precision, scale)
                        .unwrap(),
                ),
                Kind::Shards => unreachable!("only commits has shards"),
            };
            array
        })
        .collect();
    let batch = RecordBatch::try_new(table.schema(), columns).unwrap();
    let mut bytes = Vec::new();
    CanonicalRows::new(&batch).unwrap().write(0, &mut bytes);
    bytes
}

fn rows() -> Vec<Row> {
    let call = event(Payload::ApiCall(ApiCall {
        customer: "acme",
        model: "code-1",
        provider: "node-7",
        input_tokens: 1200,
        output_tokens: 340,
        cached_input_tokens: Some(7),
        latency_us: Some(1_500),
        status: Some("200"),
        region: None,
        stream: Some(false),
    }));
    let usage = event(Payload::GpuUsage(GpuUsage {
        customer: "acme",
        node: "node-7",
        gpu: "H100",
        gpu_ns: 1_500_000_000,
        task: Some("a \"quoted\" task"),
        region: Some("zürich"),
        busy_ns: None,
        energy_mj: Some(1),
    }));
    let beat = event(Payload::Heartbeat(Heartbeat {
        node: "node-7",
        status: "ready",
        gpu: None,
        utilisation_ppm: Some(500_000),
        memory_used_bytes: None,
        temperature_mc: Some(-1_500),
        power_mw: Some(3),
        region: None,
    }));
    let mut rows: Vec<Row> =
        [call, usage, beat].map(|bytes| Row::Accepted(Accepted::new(place(), "sdk/my-app", bytes).unwrap())).into();
    rows.push(Row::Duplicate(Duplicate::new(place(), "sdk/my-app", 17)));
    rows.push(Row::Rejected(Rejected::new(place(), "malformed", Some(b"sdk/my-app"), b"\x00\xff")));
    // A time that no calendar has.
    rows.push(Row::Rejected(Rejected::new(Place::new(0, 3, i64::MIN), "no_source", None, b"")));
    rows.extend(SETTLEMENT.map(|table| Row::Settled(Settled::new(table.name, settled(table)).unwrap())));
    rows
}

/// The row among others, in the ledger version that shows it.
fn prove(row: Row) -> Proof {
    let leaf = row.leaf().unwrap();
    let (mut path, mut tree) = (PathTree::default(), Tree::default());
    for number in 0..6u8 {
        let leaf = if number == 4 { leaf } else { settlement_leaf("other", &[number]) };
        path.push(leaf, number == 4);
        tree.push(leaf);
    }
    let mut commit = Commit::first(2, 0).following(1_700_000_000_000_000);
    commit.shards = vec![Shard { watermark: 41, tree: tree.clone(), ..Shard::default() }; 2];
    commit.shards[1].last_record = Some([5; 32]);
    (commit.settlement, commit.control_offset) = (tree, 2);
    Proof::new(row, path.finish().1.unwrap(), &commit).unwrap()
}

#[test]
fn every_kind_of_row_can_be_proved() {
    for row in rows() {
        let proof = prove(row);
        let text = proof.to_text().unwrap();
        assert_eq!(Proof::read(text.as_bytes()).unwrap(), proof, "{text}");
    }
}

#[test]
fn values_are_shown_as_the_tables_show_them() {
    let text = prove(rows().swap_remove(0)).to_text().unwrap();
    for shown in [
        "\"table\": \"api_calls\"",
        "\"id\": \"call-1\"",
        "\"time\": \"2023-11-14T22:13:20.000001Z\"",
        "\"input_tokens\": 1200",
        "\"latency_ms\": \"1.5\"",
        "\"recorded_at\": \"2023-11-14T22:13:20.500000Z\"",
    ] {
        assert!(text.contains(shown), "{shown} is not in\n{text}");
    }
    let mut texts = rows().into_iter().map(|row| prove(row).to_text().unwrap());
    let text = texts.find(|text| text.contains("\"table\": \"journal\"")).expect("a posting is among the rows");
    for shown in ["\"_offset\": 1", "\"amount\": \"-1.5\"", "\"model\": null", "\"gpu\": \"text\""] {
        assert!(text.contains(shown), "{shown} is not in\n{text}");
    }
}

/// The promise of the format: no byte of a proof can change unnoticed.
#[test]
fn every_flipped_bit_is_found() {
    for row in rows() {
        let text = prove(row).to_text().unwrap().into_bytes();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[at] ^= 1 << bit;
                assert!(Proof::read(&changed).is_err(), "{}", String::from_utf8_lossy(&changed));
            }
        }
    }
}

#[test]
fn a_proof_that_was_cut_or_continued_is_refused() {
    let text = prove(rows().swap_remove(0)).to_text().unwrap();
    for length in 0..text.len() {
        assert!(Proof::read(&text.as_bytes()[..length]).is_err(), "cut after {length}");
    }
    for more in [" ", "\n", "{}", "\0"] {
        assert!(Proof::read(format!("{text}{more}").as_bytes()).is_err());
    }
}

/// What the error says for each part that somebody may change.
#[test]
fn the_part_that_fails_is_named() {
    let text = prove(rows().swap_remove(0)).to_text().unwrap();
    let hash = |name: &str| text.split_once(name).unwrap().1.split('"').nth(1).unwrap().to_owned();
    let (head, previous) = (hash("\"head\": {\n    \"version\": 1,\n    \"hash\":"), hash("\"previous_hash\":"));
    let (root, leaf) = (hash("\"root\":"), hash("\"index\": 4,\n    \"hash\":"));
    let zeros = "0".repeat(64);
    let huge = "99999999999999999999999999";
    let cases: [(&str, &str, &str); 25] = [
        ("stempoint-proof-1", "stempoint-proof-2", "format is \"stempoint-proof-2\""),
        ("\"acme\"", "\"acmf\"", "row: content.customer is not what row.bytes says"),
        ("\"id\":", "\"ie\":", "row: content.id is not what row.bytes says"),
        ("\"output_tokens\": 340,", "\"output_tokens\": 340.0,", "row: content.output_tokens"),
        ("\"output_tokens\": 340,", "", "row: content.output_tokens"),
        (
            "\"output_tokens\": 340,",
            "\"output_tokens\": 340, \"output_tokens\": 340,",
            "row: content.cached_input_tokens",
        ),
        ("\"latency_ms\": \"1.5\"", "\"latency_ms\": \"1.5\", \"more\": 1", "row: content.more"),
        ("\"output_tokens\": 340", "\"output_tokens\": [[340]]", "row: content.output_tokens"),
        ("\"sdk/my-app\"", "\"sdk/my-apq\"", "leaf.hash is not the hash of the row"),
        ("\"sdk/my-app\"", "\"\"", "row: source is not"),
        ("\"api_calls\"", "\"gpu_usage\"", "row: table is not api_calls"),
        ("\"bytes\": \"0a", "\"bytes\": \"0b", "row: bytes are not an event"),
        ("\"offset\": 40", "\"offset\": 39", "leaf.hash is not the hash of the row"),
        ("\"recorded_us\": 17", "\"recorded_us\": 16", "row: place.recorded_at"),
        ("\"index\": 4", "\"index\": 5", "path does not lead from"),
        ("\"index\": 4", "\"index\": 18446744073709551615", "path does not lead from"),
        ("\"index\": 4", &format!("\"index\": {huge}"), "invalid type: floating point"),
        ("\"size\": 6", "\"size\": 7", "path does not lead from"),
        ("\"watermark\": 41", "\"watermark\": 40", "row: its offset 40 is not below 40"),
        ("\"tree_size\": 6", "\"tree_size\": 5", "tree is not the one that commit records"),
        ("\"rules\": 1", "\"rules\": 2", "commit does not have the hash"),
        ("\"version\": 1", "\"version\": 2", "head.version is 2, but commit.version is 1"),
        ("\"rules\": 1", "\"rule\": 1", "unknown field `rule`"),
        ("    \"rules\": 1", "  \"rules\": 1", "from line"),
        ("\"accepted\"", "\"deleted\"", "unknown variant"),
    ];
    let check = |changed: String, says: &str| {
        assert_ne!(changed, text, "{says}");
        let error = Proof::read(changed.as_bytes()).expect_err(says).to_string();
        assert!(error.contains(says), "{says:?} is not in {error:?}");
    };
    for (from, to, says) in cases {
        // The second shard is the row's own.
        let at =
            if from.contains("watermark") || from.contains("tree_size") { text.rfind(from) } else { text.find(from) };
        let at = at.unwrap_or_else(|| panic!("{from} is not in\n{text}"));
        check(format!("{}{to}{}", &text[..at], &text[at + from.len()..]), says);
    }
    check(text.replacen(&head, &zeros, 1), "commit does not have the hash");
    check(text.replace(&previous, &"1".repeat(64)), "commit does not have the hash");
    check(text.replacen(&root, &zeros, 1), "path does not lead from");
    check(text.replace(&root, &zeros), "path does not lead from");
    check(text.replace(&leaf, &zeros), "leaf.hash is not the hash of the row");
    check(text.replace(&leaf, &leaf.to_uppercase()), "lower-case hexadecimal");
    check(text.replace("\"path\": [", "\"path\": [\n    \"00\","), "32 bytes");
}

/// Otherwise a made-up row could have the bytes of another one.
#[test]
fn texts_whose_length_is_hashed_in_few_bits_are_limited() {
    let long = "x".repeat(1 << 16);
    let row = Row::Rejected(Rejected::new(place(), &long, None, b""));
    assert!(row.check().unwrap_err().to_string().contains("row: reason"));
    let row = Row::Duplicate(Duplicate::new(place(), &long, 1));
    assert!(row.check().unwrap_err().to_string().contains("row: source"));
    assert!(Settled::new(&long, Vec::new()).unwrap_err().to_string().contains("row: table"));
    assert!(Settled::new("commits", Vec::new()).unwrap_err().to_string().contains("row: table"));
}

#[test]
fn bytes_that_no_row_of_settlement_has_are_refused() {
    for table in SETTLEMENT {
        let bytes = settled(table);
        for length in 0..bytes.len() {
            assert!(Settled::new(table.name, bytes[..length].to_vec()).is_err(), "{} cut after {length}", table.name);
        }
        assert!(Settled::new(table.name, [&bytes[..], &[0]].concat()).is_err());
    }
}

proptest! {
    #[test]
    fn nothing_makes_the_reader_panic(
        which in 0usize..11, cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let text = prove(rows().swap_remove(which)).to_text().unwrap().into_bytes();
        let mut changed = text.clone();
        for (at, byte) in cuts {
            let at = at.index(changed.len());
            changed[at] = byte;
        }
        prop_assert_eq!(Proof::read(&changed).is_ok(), changed == text);
        prop_assert!(Proof::read(&noise).is_err());
        for table in SETTLEMENT {
            // Most are errors; none may panic.
            let _ = Settled::new(table.name, noise.clone());
        }
    }
}

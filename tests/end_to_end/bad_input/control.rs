//! Records of the control topic as any producer could put them there, through
//! the door of a running server and settlement.

use serde::Deserialize;
use stempoint_api::encode_batch;
use stempoint_ingest::log::Batch;

use super::cases::{Wrong, expand, files};
use super::recipe::assemble;
use crate::harness::{Books, Server};

/// Records that belong together, one after the other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    record: Vec<Sent>,
}

/// A record and its answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    /// The source; the file's name where there is none.
    key: Option<String>,
    recipe: String,
    outcome: String,
    message: String,
}

const PRICES: &str = r#"
currency = "USD"
effective_from = "2024-01-01T00:00:00Z"
[[price]]
meter = "tokens.input"
per = "1000"
amount = "0.5"
[[share]]
meter = "tokens.input"
provider = "0.6"
"#;

const USAGE: &str = r#"{"specversion":"1.0","id":"1","source":"usage","type":"api_call","subject":"acme",
    "time":"2024-02-29T12:00:00Z","data":{"model":"m","provider":"n","input_tokens":3000,"output_tokens":1}}"#;

/// What must be answered: where, by which case, and how.
struct Expected {
    offset: u64,
    file: String,
    case: String,
    outcome: String,
    message: String,
}

#[test]
fn each_control_event_gets_its_answer_and_the_others_are_handled() {
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    let server = books.serve(|_| (), &[]);
    let sent = ureq::post(server.url("/api/v1/events")).content_type("application/json").send(USAGE);
    assert_eq!(sent.expect("the server answers").status(), 204);
    // Settled while there is no price, so that there is something to waive.
    books.run(&["invoice", "acme", "2024-02"]);

    let mut expected = Vec::new();
    for file in files::<Case>("control") {
        for (number, case) in file.cases.iter().enumerate() {
            let first = expected.len();
            for sent in &case.record {
                let key = expand(sent.key.as_deref().unwrap_or(&file.name), number);
                let offset = append(&server, &key, &assemble(&sent.recipe, &file.recipes, number));
                let message = with_offsets(&sent.message, &expected[first..]);
                let (file, case) = (file.name.clone(), case.name.clone());
                expected.push(Expected { offset, file, case, outcome: sent.outcome.clone(), message });
            }
            let recipe = format!(r#"1: {{"{}-{number}"}} 3: {{}}"#, file.name);
            append(&server, b"good", &assemble(&recipe, &Default::default(), number));
        }
    }
    // Its answer comes after those of all before it.
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    let mut wrong = Wrong::default();
    let rows = books.sql("SELECT _offset, outcome, message FROM control WHERE source IS NULL OR source <> 'good'");
    for Expected { offset, file, case, outcome, message } in &expected {
        let row = rows.iter().find(|row| row["_offset"] == *offset).expect("each control event has a row");
        wrong.unless_equal(file, case, outcome, row["outcome"].as_str().unwrap_or_default());
        wrong.unless_equal(file, case, message, row["message"].as_str().unwrap_or_default());
    }
    wrong.must_be_none();
    let others = books.sql("SELECT outcome, count(*) AS n FROM control WHERE source = 'good' GROUP BY outcome");
    assert_eq!(others.len(), 1, "{others:?}");
    assert_eq!(others[0]["outcome"], "applied");

    let invoice: serde_json::Value =
        serde_json::from_str(&books.run(&["invoice", "acme", "2024-02", "--format", "json"])).expect("JSON");
    assert_eq!(invoice["total"], "1.50", "{invoice}");
    server.stop();
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
    let rebuilt = books.folder().join("rebuilt");
    books.run(&["rebuild", "--from", "log", "--into", &rebuilt.to_string_lossy()]);
}

/// Appends a record and gives its offset.
fn append(server: &Server, key: &[u8], value: &[u8]) -> u64 {
    let mut batch = Batch::new();
    batch.push(key, value);
    let answer = ureq::post(server.url("/internal/append/control")).send(&encode_batch(&batch)[..]);
    let end = answer.expect("the server takes it").body_mut().read_to_string().expect("text");
    let end: u64 = end.trim().strip_prefix("0:").and_then(|end| end.parse().ok()).expect("the end of partition 0");
    end - 1
}

/// Replaces `<<offset:0>>` by the offset of the case's first record, and so on.
fn with_offsets(message: &str, before: &[Expected]) -> String {
    let replace = |text: String, (record, sent): (usize, &Expected)| {
        text.replace(&format!("<<offset:{record}>>"), &sent.offset.to_string())
    };
    before.iter().enumerate().fold(message.to_owned(), replace)
}

//! Bodies and requests to `POST /api/v1/events` of a running server.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::Deserialize;

use super::cases::{File, Wrong, expand, files};
use crate::harness::Books;

/// A request and its answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    base: Option<String>,
    /// A text of the base and what stands in its place.
    change: Option<[String; 2]>,
    body: Option<String>,
    #[serde(default = "post")]
    method: String,
    #[serde(default = "events")]
    path: String,
    #[serde(default = "json")]
    content_type: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    status: u16,
    /// What the answer says, word for word.
    detail: Option<String>,
    /// What the answer says among other things.
    says: Option<String>,
    /// For what is taken and then refused by the fold: the reason and words of
    /// its row in `rejects`.
    rejected: Option<[String; 2]>,
    /// For what is taken: how many events it has, 1 if it does not say so.
    events: Option<usize>,
}

fn post() -> String {
    "POST".to_owned()
}

fn events() -> String {
    "/api/v1/events".to_owned()
}

fn json() -> String {
    "application/cloudevents+json".to_owned()
}

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn wrong_requests_are_told_why_and_what_is_taken_is_in_the_books() {
    let books = Books::new();
    let server = books.serve(|_| (), &["--commit-interval-ms", "50"]);
    let address = server.address.expect("the server is up");
    let mut wrong = Wrong::default();
    let (mut good, mut taken) = (0, 0);
    let mut rejected = Vec::new();
    for file in files::<Case>("http") {
        for (number, case) in file.cases.iter().enumerate() {
            let (status, answer) = send(address, &file, case, number);
            check(&file, case, status, &answer, &mut wrong);
            if status == 204 {
                taken += case.events.unwrap_or(1);
                rejected.extend(case.rejected.as_ref().map(|row| (file.name.clone(), case.name.clone(), row.clone())));
            }
            good += 1;
            assert_eq!(send_good(address, good), 204, "a good event after {}, {}", file.name, case.name);
        }
    }
    server.stop();
    wrong.must_be_none();

    let count = |query: &str| books.sql(query)[0]["n"].as_u64().expect("a number");
    assert_eq!(count("SELECT count(*) AS n FROM api_calls WHERE source = 'good'"), good);
    let refused = count("SELECT count(*) AS n FROM rejects");
    assert_eq!(refused, rejected.len() as u64);
    let rows =
        "(SELECT count(*) FROM api_calls) + (SELECT count(*) FROM gpu_usage) + (SELECT count(*) FROM heartbeats)";
    assert_eq!(count(&format!("SELECT {rows} AS n")), good + taken as u64 - refused);
    compare_rejects(&books, &rejected);
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
}

/// Each file's events have the file's name as their source, so that the rows
/// of one file have its order.
fn compare_rejects(books: &Books, expected: &[(String, String, [String; 2])]) {
    let mut wrong = Wrong::default();
    let rows = books.sql("SELECT source, reason, detail FROM rejects ORDER BY source, _offset");
    let mut expected = expected.to_vec();
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    for (row, (file, case, [reason, detail])) in rows.iter().zip(&expected) {
        wrong.unless_equal(file, case, reason, row["reason"].as_str().unwrap_or_default());
        wrong.unless_equal(file, case, detail, row["detail"].as_str().unwrap_or_default());
    }
    wrong.must_be_none();
}

fn check(file: &File<Case>, case: &Case, status: u16, answer: &str, wrong: &mut Wrong) {
    wrong.unless_equal(&file.name, &case.name, &case.status.to_string(), &status.to_string());
    if case.status == 204 {
        return;
    }
    let problem: serde_json::Value = serde_json::from_str(answer).unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or(answer);
    match (&case.detail, &case.says) {
        (Some(expected), None) => wrong.unless_equal(&file.name, &case.name, expected, detail),
        (None, Some(part)) => wrong.unless_contained(&file.name, &case.name, part, detail),
        _ => wrong.add(&file.name, &case.name, format!("needs a detail or what it says, found {detail:?}")),
    }
}

fn send(address: SocketAddr, file: &File<Case>, case: &Case, number: usize) -> (u16, String) {
    let body = file.input(&case.name, case.base.as_deref(), case.change.as_ref(), case.body.as_deref());
    request(address, &case.method, &case.path, &case.content_type, &case.headers, &expand(&body, number))
}

fn send_good(address: SocketAddr, number: u64) -> u16 {
    let body = format!(
        r#"{{"specversion":"1.0","id":"good-{number}","source":"good","type":"api_call","subject":"acme","time":"2024-02-29T12:00:00Z",
            "data":{{"model":"m","provider":"n","input_tokens":1,"output_tokens":1}}}}"#
    );
    request(address, &post(), &events(), &json(), &BTreeMap::new(), body.as_bytes()).0
}

/// One request on a connection of its own, byte for byte as given.
fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    content_type: &str,
    headers: &BTreeMap<String, String>,
    body: &[u8],
) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the server takes connections");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
    stream.set_write_timeout(Some(PATIENCE)).expect("a time-out can be set");
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    if !content_type.is_empty() {
        head.push_str(&format!("Content-Type: {content_type}\r\n"));
    }
    let sized = headers.keys().any(|name| matches!(name.as_str(), "Content-Length" | "Transfer-Encoding"));
    if !sized {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).expect("the server reads the head");
    // A server that refuses the body does not read it to its end.
    let _ = stream.write_all(body);
    answer(stream)
}

fn answer(stream: TcpStream) -> (u16, String) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).expect("the server answers");
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).expect("the answer is text");
    (status, rest.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

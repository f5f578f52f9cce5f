//! Budgets and the webhooks that tell of them, through the binary.

mod receiver;

use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::{Books, LOOK, PATIENCE, Server};
use receiver::{Answer, Receiver};

const PRICES: &str = "currency = \"USD\"\neffective_from = \"2024-02-01T00:00:00Z\"\n\
                      [[price]]\nmeter = \"tokens.input\"\nper = \"1000\"\namount = \"1\"\n";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Books with a price, a budget of 10 USD a month and one receiver.
fn books(url: &str) -> Books {
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    let set = ["budget", "set", "acme", "--name", "total", "--amount", "10", "--threshold", "50,80,100"];
    let said = books.run(&[&set[..], &["--from", "2024-02"]].concat());
    let expected = "budget total of acme: 10 USD in each month from 2024-02 on, told at 50, 80, 100 %";
    assert!(said.starts_with(expected), "{said}");
    std::fs::write(books.data().join("hook.secret"), format!("{SECRET}\n")).expect("a file can be written");
    let config = format!(
        "[[webhook]]\nname = \"hook\"\nurl = \"{url}\"\nsecret_file = \"hook.secret\"\nevents = [\"alert\"]\n\
         retry_first_ms = 5\nretry_max_ms = 20\ntimeout_ms = 600000\n"
    );
    std::fs::write(books.data().join("stempoint.toml"), config).expect("a file can be written");
    books
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/hook?token=hidden")
}

/// Sends usage of acme and has it settled.
fn uses(books: &Books, server: &Server, id: &str, tokens: u32) {
    let event = format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"sdk/test","type":"api_call","subject":"acme","time":"2024-02-10T00:00:00Z",
            "data":{{"model":"m","provider":"n","input_tokens":{tokens},"output_tokens":0}}}}"#
    );
    let sent = ureq::post(server.url("/api/v1/events")).content_type("application/json").send(event.as_str());
    assert_eq!(sent.expect("the server answers").status(), 204);
    books.run(&["invoice", "acme", "2024-02"]);
}

/// Waits until a figure has a value.
fn wait_for(server: &Server, figure: &str) {
    let begun = Instant::now();
    loop {
        let url = server.url("/metrics");
        let text = ureq::get(url).call().expect("the server answers").body_mut().read_to_string().expect("text");
        if text.lines().any(|line| line == figure) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "there is no {figure} in\n{text}");
        std::thread::sleep(LOOK);
    }
}

fn rows(books: &Books) -> Value {
    books.sql("SELECT alert, budget, period, threshold, amount, quantity FROM alerts ORDER BY _offset, line").into()
}

#[test]
fn every_alert_arrives_signed_and_in_order_whatever_fails() {
    // The first alert fails three times, each time in another way.
    let failing = [Answer::Status(500), Answer::Drop, Answer::Status(302), Answer::Status(204)];
    let receiver = Receiver::start(&failing, Answer::Status(503));
    let books = books(&url(receiver.address));
    let input = ["budget", "set", "acme", "--name", "input", "--quantity", "9000", "--meter", "tokens.input"];
    books.run(&[&input[..], &["--from", "2024-02"]].concat());
    let server = books.serve(|_| (), &[]);
    uses(&books, &server, "a", 5000);
    let first: Vec<_> = failing.iter().map(|_| receiver.next()).collect();
    assert_eq!(first.iter().map(|delivery| delivery.answer).collect::<Vec<_>>(), failing);
    assert!(first.iter().all(|delivery| delivery.id == first[0].id && delivery.is_signed_with(SECRET)), "{first:?}");
    let body = first[0].body();
    assert_eq!(body["type"], "alert");
    assert_eq!(
        [&body["data"]["customer"], &body["data"]["budget"], &body["data"]["threshold"], &body["data"]["total"]],
        [&json!("acme"), &json!("total"), &json!(50), &json!("5")]
    );
    wait_for(&server, "stempoint_webhook_sent_total{receiver=\"hook\"} 1");
    wait_for(&server, "stempoint_webhook_pending{receiver=\"hook\"} 0");
    wait_for(&server, "stempoint_webhook_failed_total{receiver=\"hook\"} 3");

    // The next ones never arrive before the server is killed; it folds and settles all the same.
    uses(&books, &server, "b", 5000);
    let refused = [receiver.next(), receiver.next()];
    assert_eq!(refused[0].id, refused[1].id);
    wait_for(&server, "stempoint_webhook_pending{receiver=\"hook\"} 3");
    let said = server.kill();
    assert!(said.contains("was answered with status 503"), "{said}");
    assert!(!said.contains("hidden") && !said.contains("whsec_"), "neither URL nor secret is logged: {said}");

    receiver.answer(Answer::Status(200));
    let server = books.serve(|_| (), &[]);
    // One that is reached already is told of at once.
    books.run(&["budget", "set", "acme", "--name", "late", "--amount", "2.5", "--from", "2024-02"]);
    let mut arrived = vec![first[0].id.clone()];
    while arrived.len() < 5 {
        let delivery = receiver.next();
        // What was on its way when the server was killed may be half of a
        // delivery, or is made again.
        let is_new = delivery.answer == Answer::Status(200) && !arrived.contains(&delivery.id);
        if is_new && delivery.is_whole() {
            assert!(delivery.is_signed_with(SECRET), "{delivery:?}");
            arrived.push(delivery.id);
        }
    }
    wait_for(&server, "stempoint_webhook_pending{receiver=\"hook\"} 0");
    server.stop();
    let rows = rows(&books);
    let ids: Vec<&str> = rows.as_array().expect("rows").iter().filter_map(|row| row["alert"].as_str()).collect();
    assert_eq!(arrived, ids);
    let told: Value =
        rows.as_array().expect("rows").iter().map(|row| json!([row["budget"], row["threshold"]])).collect();
    assert_eq!(told, json!([["total", 50], ["input", 100], ["total", 80], ["total", 100], ["late", 100]]));

    let listed = books.run(&["alerts", "list", "--customer", "acme", "--format", "csv"]);
    assert_eq!(listed.lines().count(), 6, "{listed}");
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
    books.rebuild();
}

#[test]
fn a_threshold_is_crossed_once_whatever_is_corrected() {
    let books = books("http://127.0.0.1:9/nobody-listens");
    let server = books.serve(|_| (), &[]);
    uses(&books, &server, "a", 6000);
    let prices = |name: &str, amount: &str| {
        let file = books.file(name, &PRICES.replace("amount = \"1\"", &format!("amount = \"{amount}\"")));
        books.run(&["prices", "apply", &file.to_string_lossy()]);
    };
    // The month falls below the half of the budget, and rises to all of it.
    prices("cheap.toml", "0.5");
    prices("dear.toml", "2");
    let told = |rows: Value| -> Value {
        rows.as_array().expect("rows").iter().map(|row| json!([row["threshold"], row["amount"]])).collect()
    };
    assert_eq!(told(rows(&books)), json!([[50, "6"], [80, "12"], [100, "12"]]));
    server.stop();
    // The same limit keeps what was crossed, another one begins anew.
    let set = |amount| ["budget", "set", "acme", "--name", "total", "--amount", amount, "--from", "2024-02"];
    books.run(&set("10"));
    assert_eq!(told(rows(&books)).as_array().map(Vec::len), Some(3));
    books.run(&set("12"));
    assert_eq!(told(rows(&books))[3], json!([100, "12"]));
    let listed = books.run(&["budget", "list", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(
        (&listed[0]["amount"], &listed[0]["thresholds"], &listed[1]),
        (&json!("12"), &json!("100"), &Value::Null)
    );
    books.run(&["budget", "delete", "acme", "--name", "total"]);
    assert_eq!(books.run(&["budget", "list", "--format", "json"]).trim(), "[]");
    let error = books.fail(&["budget", "delete", "acme", "--name", "total"]);
    assert!(error.contains("refused by settlement: acme has no budget total"), "{error}");
}

#[test]
fn a_receiver_that_never_answers_does_not_hold_up_the_end() {
    let receiver = Receiver::start(&[], Answer::Hang);
    let books = books(&url(receiver.address));
    let server = books.serve(|_| (), &[]);
    uses(&books, &server, "a", 5000);
    assert_eq!(receiver.next().answer, Answer::Hang);
    // The delivery may take ten minutes; the server ends as usual.
    server.stop();
}

#[test]
fn a_receiver_behind_tls_is_met_with_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let books = books(&format!("https://{address}/hook"));
    let server = books.serve(|_| (), &[]);
    uses(&books, &server, "a", 5000);
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut begin = [0; 2];
    std::io::Read::read_exact(&mut stream, &mut begin).expect("it begins to talk");
    assert_eq!(begin, [0x16, 0x03], "a TLS handshake");
    drop((stream, listener));
    let said = server.stop();
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_secret_that_cannot_be_used_is_said_at_the_start() {
    let books = books("http://127.0.0.1:9/");
    std::fs::write(books.data().join("hook.secret"), "whsec_AAAA").expect("a file can be written");
    let error = books.fail(&["up", "--listen", "127.0.0.1:0"]);
    assert!(error.contains("the secret of webhook hook in ") && error.contains("and has 3"), "{error}");
    std::fs::remove_file(books.data().join("hook.secret")).expect("it was there");
    let error = books.fail(&["up", "--listen", "127.0.0.1:0"]);
    assert!(error.contains("failed to read the secret of webhook hook"), "{error}");
}

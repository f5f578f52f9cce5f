//! `stempoint void` and `stempoint amend`: one usage event is taken back or
//! charged otherwise, through the binary. Each command is a process of its own,
//! so that every step also guards what a restart takes up.

use serde_json::{Value, json};

use crate::audit_views;
use crate::harness::Books;

const SELECT: &str = "SELECT id, at AS time, 'acme' AS customer, 'code-1' AS model, 'node-1' AS provider, \
                      tokens AS input_tokens, 0 AS output_tokens FROM input";

/// Books with half of what tokens cost for the provider, and three calls.
fn books() -> Books {
    let books = Books::new();
    let prices = "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
                  [[price]]\nmeter = \"tokens.input\"\nper = \"1000\"\namount = \"1\"\n\
                  [[share]]\nmeter = \"tokens.input\"\nprovider = \"0.5\"\n";
    let prices = books.file("prices.toml", prices);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    let calls = "id,at,tokens\na,2023-11-10T00:00:00Z,3000\nb,2023-12-02T00:00:00Z,7000\nc,2023-11-30T23:59:59Z,500\n";
    let calls = books.file("calls.csv", calls);
    books.run(&["import", "api_call", &calls.to_string_lossy(), "--source", "app", "--select", SELECT]);
    books
}

fn total(books: &Books, customer: &str, month: &str) -> String {
    let invoice: Value =
        serde_json::from_str(&books.run(&["invoice", customer, month, "--format", "json"])).expect("JSON");
    invoice["total"].as_str().expect("a total").to_owned()
}

#[test]
fn an_event_is_taken_back_once_and_amended_as_often_as_it_takes() {
    let books = books();
    assert_eq!(total(&books, "acme", "2023-11"), "3.50");
    let said = books.run(&["void", "c", "--reason", "sent by a test"]);
    assert!(said.starts_with("event c of import/app was taken back, in 2023-11"), "{said}");
    assert_eq!(total(&books, "acme", "2023-11"), "3.00");
    for again in [&["void", "c"][..], &["amend", "c", "--set", "input_tokens=1"]] {
        let said = books.fail(&[again, &["--reason", "once more"]].concat());
        assert!(said.contains("was taken back by control event") && said.contains("already"), "{said}");
    }

    // Another customer's, and fewer tokens; then fewer still, after its month was closed.
    let fewer = ["--set", "input_tokens=2000", "--set", "customer=umbrella", "--set", "provider=node-2"];
    books.run(&[&["amend", "a", "--source", "import/app", "--reason", "wrong tenant"][..], &fewer].concat());
    assert_eq!(
        (total(&books, "acme", "2023-11"), total(&books, "umbrella", "2023-11")),
        ("0.00".into(), "2.00".into())
    );
    books.run(&["period", "close", "2023-11"]);
    let place = books.sql("SELECT usage_partition, usage_offset FROM corrections WHERE id = 'a'");
    let number = |column: &str| place[0][column].to_string().replace('"', "");
    let place = format!("{}:{}", number("usage_partition"), number("usage_offset"));
    let said = books.run(&["amend", "--at", &place, "--set", "input_tokens=1500", "--reason", "counted twice"]);
    assert!(said.starts_with("event a of import/app is charged as corrected, in 2023-12"), "{said}");
    assert_eq!(total(&books, "umbrella", "2023-11"), "2.00");
    assert_eq!(total(&books, "umbrella", "2023-12"), "-0.50");
    let same = books.fail(&["amend", "a", "--set", "input_tokens=1500", "--reason", "once more"]);
    assert!(same.contains("says so already"), "{same}");

    let rows: Value = books
        .sql("SELECT part, id, customer, provider, meter, period, quantity, reason FROM corrections ORDER BY _offset, line")
        .into();
    let row = |part: &str,
               id: &str,
               (customer, provider): (&str, &str),
               meter: &str,
               period: &str,
               (quantity, reason): (&str, &str)| {
        json!({ "part": part, "id": id, "customer": customer, "provider": provider, "meter": meter, "period": period,
                "quantity": quantity, "reason": reason })
    };
    let (acme, umbrella) = (("acme", "node-1"), ("umbrella", "node-2"));
    let (tokens, requests, november) = ("tokens.input", "requests", "2023-11");
    assert_eq!(
        rows,
        json!([
            row("taken_back", "c", acme, tokens, november, ("-500", "sent by a test")),
            row("taken_back", "c", acme, requests, november, ("-1", "sent by a test")),
            row("taken_back", "a", acme, tokens, november, ("-3000", "wrong tenant")),
            row("taken_back", "a", acme, requests, november, ("-1", "wrong tenant")),
            row("put", "a", umbrella, tokens, november, ("2000", "wrong tenant")),
            row("put", "a", umbrella, requests, november, ("1", "wrong tenant")),
            row("taken_back", "a", umbrella, tokens, "2023-12", ("-2000", "counted twice")),
            row("taken_back", "a", umbrella, requests, "2023-12", ("-1", "counted twice")),
            row("put", "a", umbrella, tokens, "2023-12", ("1500", "counted twice")),
            row("put", "a", umbrella, requests, "2023-12", ("1", "counted twice")),
        ])
    );
    // Nodes earn half of what is left: nothing of c, and of a what node-2 is said to have served.
    let earned = books.sql("SELECT account, balance FROM balances WHERE account LIKE 'provider/%' ORDER BY account");
    let earned: Vec<String> =
        earned.iter().map(|row| format!("{} {}", row["account"], row["balance"]).replace('"', "")).collect();
    assert_eq!(earned, ["provider/node-1/payable -3.5", "provider/node-2/payable -0.75"]);
    audit_views::agree(&books);
    books.rebuild();
}

#[test]
fn what_cannot_be_corrected_says_why() {
    let books = books();
    for (arguments, says) in [
        (&["void", "d", "--reason", "r"][..], "no accepted event has the id \"d\""),
        (&["void", "--at", "0:4711", "--reason", "r"], "no metered usage event stands at 0:4711"),
        (
            &["amend", "a", "--set", "tokens=3", "--reason", "r"],
            "no field \"tokens\" of an event can be set; those that can are customer,",
        ),
        (&["amend", "a", "--set", "input_tokens", "--reason", "r"], "--set \"input_tokens\" is not FIELD=VALUE"),
        (
            &["amend", "a", "--set", "input_tokens=1", "--set", "input_tokens=2", "--reason", "r"],
            "--set names input_tokens twice",
        ),
        (&["amend", "a", "--set", "input_tokens=much", "--reason", "r"], "--set input_tokens=\"much\""),
        (&["amend", "a", "--set", "gpu_seconds=1", "--reason", "r"], "does not count gpu.seconds"),
        (&["amend", "a", "--set", "gpu=T4", "--reason", "r"], "has no gpu"),
        (&["amend", "a", "--set", "input_tokens=3000", "--reason", "r"], "says so already"),
    ] {
        let said = books.fail(arguments);
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    assert_eq!(books.sql("SELECT count(*) AS n FROM corrections")[0]["n"], 0);
    assert_eq!(total(&books, "acme", "2023-11"), "3.50");
}

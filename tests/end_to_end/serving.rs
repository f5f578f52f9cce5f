//! `stempoint up`: events over HTTP, and the other commands beside it.

use crate::harness::{Books, Server};

const PRICES: &str = r#"
currency = "USD"
effective_from = "2020-01-01T00:00:00Z"
[[price]]
meter = "tokens.input"
per = "1000"
amount = "0.5"
[[price]]
meter = "requests"
match = { model = "code-1" }
per = "1"
amount = "0.001"
[[share]]
meter = "tokens.input"
provider = "0.6"
"#;

fn event(id: &str, model: &str, tokens: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"sdk/test","type":"api_call","subject":"acme","time":"2024-02-29T23:59:59Z",
            "data":{{"model":"{model}","provider":"node-1","input_tokens":{tokens},"output_tokens":5}}}}"#
    )
}

fn post(server: &Server, content_type: &str, body: &str) -> (u16, String) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let mut response = ureq::Agent::new_with_config(config)
        .post(server.url("/api/v1/events"))
        .header("Content-Type", content_type)
        .send(body)
        .expect("the server answers");
    let status = response.status().as_u16();
    (status, response.body_mut().read_to_string().expect("the answer can be read"))
}

fn get(server: &Server, path: &str) -> String {
    ureq::get(server.url(path)).call().expect("the server answers").body_mut().read_to_string().expect("text")
}

#[test]
fn events_over_http_become_an_invoice_while_the_server_runs() {
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    let server = books.serve(|_| (), &["--commit-interval-ms", "50"]);
    assert_eq!(get(&server, "/healthz"), "ok\n");
    assert_eq!(get(&server, "/readyz"), "ready\n");
    let single = "application/cloudevents+json";
    assert_eq!(post(&server, single, &event("a", "code-1", "1000")).0, 204);
    let batch = format!("[{},{}]", event("b", "code-1", "500"), event("a", "code-1", "1000"));
    assert_eq!(post(&server, "application/cloudevents-batch+json", &batch).0, 204);
    let other = event("b", "code-1", "501");
    assert_eq!(post(&server, single, &other).0, 204, "what conflicts is taken and refused by the fold");

    // The other commands go through the server.
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    let invoice: serde_json::Value =
        serde_json::from_str(&books.run(&["invoice", "acme", "2024-02", "--format", "json"])).expect("JSON");
    assert_eq!(invoice["number"], serde_json::Value::Null);
    assert_eq!(invoice["total"], "0.75", "1500 tokens at 0.5 per 1000, and two requests at 0.001: {invoice}");
    let earnings: serde_json::Value =
        serde_json::from_str(&books.run(&["earnings", "node-1", "2024-02", "--format", "json"])).expect("JSON");
    assert_eq!(earnings["subtotal"], "0.45", "{earnings}");
    let rejects = books.run(&["rejects", "list", "--format", "csv"]);
    assert!(rejects.contains("conflict"), "{rejects}");

    let metrics = get(&server, "/metrics");
    for line in [
        "stempoint_events{outcome=\"accepted\"} 2",
        "stempoint_events{outcome=\"duplicate\"} 1",
        "stempoint_events{outcome=\"rejected\"} 1",
        "stempoint_ingest_lag_records{partition=\"0\"} 0",
        "stempoint_commit_seconds_count",
        "stempoint_settlement_age_seconds 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    server.stop();
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
}

#[test]
fn bad_requests_are_refused_with_what_to_do_and_nothing_is_written() {
    let books = Books::new();
    let server = books.serve(|_| (), &[]);
    let good = event("a", "m", "1");
    for (name, content_type, body, status, says) in [
        ("media type", "text/plain", good.clone(), 415, "application/cloudevents+json"),
        ("not JSON", "application/json", "{".to_owned(), 400, "not a CloudEvent"),
        ("no type", "application/json", good.replace("\"type\":\"api_call\",", ""), 400, "type is missing"),
        (
            "other type",
            "application/json",
            good.replace("api_call", "api_cull"),
            400,
            "api_call, gpu_usage or heartbeat",
        ),
        ("no source", "application/json", good.replace("\"source\":\"sdk/test\",", ""), 400, "source is missing"),
        ("negative", "application/json", event("a", "m", "-1"), 400, "input_tokens is negative"),
        ("fraction", "application/json", event("a", "m", "1.5"), 400, "input_tokens"),
        ("text", "application/json", event("a", "m", "\"many\""), 400, "not a decimal number"),
        ("overflow", "application/json", event("a", "m", "1e30"), 400, "input_tokens"),
        ("unknown field", "application/json", good.replace("\"output_tokens\"", "\"outputs\""), 400, "\"outputs\""),
        ("bad time", "application/json", good.replace("2024-02-29", "2023-02-29"), 400, "time"),
        ("empty model", "application/json", event("a", "", "1"), 400, "model is empty"),
        ("long id", "application/json", event(&"x".repeat(300), "m", "1"), 400, "id has 300 bytes"),
        ("second of a batch", "application/json", format!("[{good},{}]", event("b", "m", "-2")), 400, "event 1"),
        ("old version", "application/json", good.replace("\"1.0\"", "\"0.3\""), 400, "specversion"),
    ] {
        let (got, answer) = post(&server, content_type, &body);
        assert_eq!(got, status, "{name}: {answer}");
        assert!(answer.contains(says.replace('"', "\\\"").as_str()), "{name}: {answer}");
    }
    let metrics = get(&server, "/metrics");
    assert!(metrics.contains("stempoint_events{outcome=\"received\"} 0"), "{metrics}");
    server.stop();
}

#[test]
fn a_second_server_on_the_same_folder_is_told_about_the_first() {
    let books = Books::new();
    let server = books.serve(|_| (), &[]);
    let error = books.fail(&["up", "--listen", "127.0.0.1:0"]);
    assert!(error.contains("a server at 127.0.0.1:"), "{error}");
    let error = books.fail(&["rebuild", "--from", "log", "--into", &books.folder().join("new").to_string_lossy()]);
    assert!(error.contains("stop it first, or use --from lake"), "{error}");
    server.stop();
    let error = books.fail(&["up", "--listen", "0.0.0.0:0"]);
    assert!(error.contains("loopback"), "{error}");
}

//! Prices that are not so much per unit, through the binary: what customers
//! pay, however their usage arrives.

use serde_json::Value;

use crate::audit_views;
use crate::harness::Books;

const PRICES: &str = r#"
currency = "USD"
effective_from = "2023-11-01T00:00:00Z"

[[price]]
meter  = "tokens.input"
per    = "1000"
amount = "2"
charge_model = "graduated"
tiers = [
    { up_to = "10000", amount = "2" },
    { up_to = "20000", amount = "1.5", flat = "5" },
    { amount = "1" },
]

[[price]]
meter  = "tokens.output"
per    = "1000"
amount = "10"
charge_model = "percentage"
percent = "87.5"
minimum = "3"

[[price]]
meter  = "requests"
per    = "100"
amount = "1"
charge_model = "package"

[[share]]
meter    = "tokens.input"
provider = "0.5"
"#;

const SELECT: &str = "SELECT id, at AS time, customer, 'code-1' AS model, 'node-1' AS provider, \
                      input AS input_tokens, output AS output_tokens FROM input";

fn import(books: &Books, name: &str, rows: &str) {
    let file = books.file(&format!("{name}.csv"), &format!("id,at,customer,input,output\n{rows}"));
    books.run(&["import", "api_call", &file.to_string_lossy(), "--source", name, "--select", SELECT]);
}

fn invoice(books: &Books, customer: &str, month: &str) -> Value {
    serde_json::from_str(&books.run(&["invoice", customer, month, "--format", "json"])).expect("JSON")
}

/// The lines of an invoice: meter, what adjusts it, quantity, amount.
fn lines(invoice: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |line: &Value| ["meter", "adjustment", "quantity", "amount"].map(|field| text(&line[field])).join(" | ");
    invoice["lines"].as_array().expect("lines").iter().map(line).collect()
}

#[test]
fn a_month_costs_what_its_whole_use_costs_however_it_arrived() {
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    // 25,000 tokens in four imports and settlements: 10 × 2 + 5 + 10 × 1.5 + 5 × 1 = 45.
    for (part, tokens) in [("one", 4_000), ("two", 7_000), ("three", 9_000), ("four", 5_000)] {
        import(&books, part, &format!("{part},2023-11-10T00:00:00Z,acme,{tokens},200\n"));
        invoice(&books, "acme", "2023-11");
    }
    // The same at once for another one, and only a little for a third.
    import(&books, "whole", "a,2023-11-11T00:00:00Z,beta,25000,0\nb,2023-11-11T00:00:00Z,crow,0,100\n");
    let acme = invoice(&books, "acme", "2023-11");
    assert_eq!(
        lines(&acme),
        [
            "tokens.input | - | 25000 | 50",
            "tokens.input | graduated price | - | -5",
            "tokens.output | - | 800 | 8",
            // 87.5 % of 8 is 7.
            "tokens.output | 87.5 % of the price, minimum of 3 | - | -1",
            "requests | - | 4 | 0.04",
            "requests | package price | - | 0.96",
        ]
    );
    assert_eq!(acme["total"], "53.00");
    assert_eq!(lines(&invoice(&books, "beta", "2023-11"))[..2], lines(&acme)[..2]);
    assert_eq!(invoice(&books, "crow", "2023-11")["total"], "4.00");
    for line in acme["lines"].as_array().expect("lines") {
        let found = books.sql(line["sql"].as_str().expect("SQL"));
        assert_eq!((&found[0]["quantity"], &found[0]["amount"]), (&line["quantity"], &line["amount"]), "{line}");
    }
    // The provider's half is of the linear amounts: 25 × 2 twice.
    let earned: Value =
        serde_json::from_str(&books.run(&["earnings", "node-1", "2023-11", "--format", "json"])).expect("JSON");
    assert_eq!(earned["total"], "50.00");

    // What arrives late goes on where its month stopped, and is billed in the open one.
    books.run(&["period", "close", "2023-11"]);
    assert_eq!(invoice(&books, "acme", "2023-11")["total"], "53.00");
    import(&books, "late", "late,2023-11-30T00:00:00Z,acme,1000,0\nnew,2023-12-01T00:00:00Z,acme,1000,0\n");
    let december = invoice(&books, "acme", "2023-12");
    // 1,000 at the last tier's price, 1,000 at the first one's; two requests in their packages.
    assert_eq!(
        lines(&december),
        [
            "tokens.input | - | 2000 | 4",
            "tokens.input | graduated price | - | -1",
            "requests | - | 2 | 0.02",
            "requests | package price | - | 0.98",
        ]
    );
    // A price that is changed backwards gives back what was charged, to the cent.
    let linear = "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
                  [[price]]\nmeter = \"tokens.input\"\nper = \"1000\"\namount = \"2\"\n\
                  [[share]]\nmeter = \"tokens.input\"\nprovider = \"0.5\"\n";
    let linear = books.file("linear.toml", linear);
    books.run(&["prices", "apply", &linear.to_string_lossy()]);
    // Both months at 2: (26 + 1) × 2 = 54, less the 45 that November cost; the rest is not billed any more.
    assert_eq!(invoice(&books, "acme", "2023-12")["total"], "1.00");
    books.run(&["period", "close", "2023-12"]);
    let billed = books.sql(
        "SELECT \"InvoiceId\" AS number, sum(\"BilledCost\") AS total FROM focus_cost_and_usage \
         WHERE \"InvoiceId\" IS NOT NULL GROUP BY \"InvoiceId\" ORDER BY number",
    );
    assert_eq!(billed, books.sql("SELECT number, total FROM invoices ORDER BY number"));
    let trial = books.sql("SELECT sum(amount) AS sum FROM journal");
    assert_eq!(trial[0]["sum"], "0");
    audit_views::agree(&books);
    books.rebuild();
}

#[test]
fn charge_models_are_listed_and_shown_in_every_form_of_an_invoice() {
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    import(&books, "calls", "a,2023-11-10T00:00:00Z,acme,12000,100\n");
    let models = books.run(&["prices", "models", "--format", "csv"]);
    assert_eq!(
        models,
        "price,charge_model,tier,above,up_to,amount,flat,percent,minimum\n\
         0-1,graduated,1,0,10000,2,0,,\n\
         0-1,graduated,2,10000,20000,1.5,5,,\n\
         0-1,graduated,3,20000,,1,0,,\n\
         0-2,percentage,1,0,,,,87.5,3\n\
         0-3,package,1,0,,,,,\n"
    );
    let text = books.run(&["invoice", "acme", "2023-11"]);
    for line in ["adjustment: graduated price", "adjustment: package price"] {
        assert!(text.contains(line), "{text}");
    }
    let html = books.run(&["invoice", "acme", "2023-11", "--format", "html"]);
    assert!(html.contains("adjustment: graduated price"), "{html}");
    let csv = books.run(&["invoice", "acme", "2023-11", "--format", "csv"]);
    assert!(csv.contains(",adjustment,,,,4,0-1,"), "{csv}");
    for format in ["pdf", "json", "csv"] {
        let file = books.folder().join(format!("invoice.{format}"));
        let path = file.to_string_lossy();
        books.run(&["invoice", "acme", "2023-11", "--format", format, "--out", &path]);
        let said = books.run(&["invoice", "verify", &path]);
        assert!(said.contains("holds"), "{said}");
    }
}

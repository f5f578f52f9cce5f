//! What model owners and asset pools earn, through the binary. Each command is a
//! process of its own, so that every step also guards what a restart takes up.

use serde_json::json;

use crate::audit_views;
use crate::harness::Books;

const SELECT: &str = "SELECT id, at AS time, customer, model, node AS provider, tokens AS input_tokens, \
                      0 AS output_tokens FROM input";

/// A dollar for a thousand tokens, half of it for who served them.
const PRICES: &str = "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
                      [[price]]\nmeter = \"tokens.input\"\nper = \"1000\"\namount = \"1\"\n\
                      [[share]]\nmeter = \"tokens.input\"\nprovider = \"0.5\"\n";
const OWNERS: &str = "[[share]]\nmeter = \"tokens.input\"\nmatch = { model = \"code-1\" }\n\
                      model_owner = \"acme labs\"\npart = \"0.05\"\n\
                      [[share]]\nmeter = \"tokens.input\"\nproviders = [\"node-1\", \"node-3\"]\n\
                      asset_pool = \"berlin-1\"\npart = \"0.2\"\n";

fn import(books: &Books, calls: &str) {
    let calls = books.file("calls.csv", &format!("id,at,customer,model,node,tokens\n{calls}"));
    books.run(&["import", "api_call", &calls.to_string_lossy(), "--source", "app", "--select", SELECT]);
    books.run(&["trial-balance"]);
}

/// What stands on the accounts of all but customers.
fn balances(books: &Books) -> Vec<String> {
    books.balances("account NOT LIKE 'customer/%' AND balance <> 0")
}

#[test]
fn owners_earn_out_of_the_platforms_part() {
    let books = Books::new();
    let file = |content: &str| books.file("prices.toml", content).to_string_lossy().into_owned();
    books.run(&["prices", "apply", &file(&format!("{PRICES}{OWNERS}"))]);
    import(
        &books,
        "a,2023-11-10T00:00:00Z,acme,code-1,node-1,1000\nb,2023-11-10T00:10:00Z,umbrella,code-1,node-2,2000\n\
         c,2023-11-11T00:10:00Z,umbrella,code-2,node-3,500\n",
    );
    let as_used = [
        "asset_pool/berlin-1/payable -0.3",
        "model_owner/acme labs/payable -0.15",
        "platform/revenue -1.3",
        "provider/node-1/payable -0.5",
        "provider/node-2/payable -1",
        "provider/node-3/payable -0.25",
    ];
    assert_eq!(balances(&books), as_used);
    let earned = books.sql("SELECT owner, period, model, quantity, amount FROM owner_earnings ORDER BY owner, model");
    let row = |owner: &str, model: &str, quantity: &str, amount: &str| json!({ "owner": owner, "period": "2023-11", "model": model, "quantity": quantity, "amount": amount });
    assert_eq!(
        earned,
        [
            row("asset_pool/berlin-1", "code-1", "1000", "0.2"),
            row("asset_pool/berlin-1", "code-2", "500", "0.1"),
            row("model_owner/acme labs", "code-1", "3000", "0.15"),
        ]
    );

    // What a book would change is said beforehand.
    let other = file(&format!("{PRICES}{}", OWNERS.replace("0.05", "0.1")));
    let said = books.run(&["rate", "--with", &other, "--period", "2023-11", "--by", "owner", "--format", "csv"]);
    assert!(said.contains("\nowner,model_owner/acme labs,USD,0.15,0.3,0.15\n"), "{said}");
    assert!(said.contains("\nall owners,,USD,0.45,0.6,0.15\nplatform,,USD,1.3,1.15,-0.15\n"), "{said}");

    // An event that is voided is earned by nobody.
    books.run(&["void", "a", "--source", "import/app", "--reason", "a test"]);
    let without = [
        "asset_pool/berlin-1/payable -0.1",
        "model_owner/acme labs/payable -0.1",
        "platform/revenue -1.05",
        "provider/node-2/payable -1",
        "provider/node-3/payable -0.25",
    ];
    assert_eq!(balances(&books), without);
    let exported = books.run(&["general-ledger", "2023-11", "--format", "csv"]);
    assert!(exported.contains(",2010,") && exported.contains(",2020,"), "{exported}");

    // A book for the past without owners takes all of it back.
    books.run(&["prices", "apply", &file(PRICES)]);
    assert_eq!(
        balances(&books),
        ["platform/revenue -1.25", "provider/node-2/payable -1", "provider/node-3/payable -0.25"]
    );
    let listed = books.run(&["prices", "shares", "--format", "csv"]);
    let listed: Vec<&str> =
        listed.lines().map(|line| line.split_once("T00:00:00Z,").map_or("", |(_, of)| of)).collect();
    assert_eq!(
        listed,
        [
            "",
            "model_owner/acme labs,tokens.input,code-1,,,,0.05",
            "asset_pool/berlin-1,tokens.input,,,,node-1,0.2",
            "asset_pool/berlin-1,tokens.input,,,,node-3,0.2",
        ]
    );
    audit_views::agree(&books);
    books.rebuild();
}

#[test]
fn shares_of_more_than_all_are_refused_and_change_nothing() {
    let books = Books::new();
    books.run(&["prices", "apply", &books.file("prices.toml", PRICES).to_string_lossy()]);
    let prices = books.file("prices.toml", &format!("{PRICES}{}", OWNERS.replace("0.2", "0.46")));
    let refused = books.fail(&["prices", "apply", &prices.to_string_lossy()]);
    let says = "line 15: share 3: the shares of tokens.input that could meet here come to 1.01 of what it costs; \
                together they may be 1 at most";
    assert!(refused.contains(says), "{refused}");
    assert_eq!(books.sql("SELECT count(*) AS n FROM owner_shares"), [json!({ "n": 0 })]);
}

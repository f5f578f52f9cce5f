//! `stempoint rate`: it says what the books say once the price book is really
//! applied, and changes no byte.

use std::collections::BTreeMap;
use std::path::Path;

use fastrand::Rng;
use serde_json::Value;

use crate::harness::{Books, scaled};

const SELECT: &str = "SELECT id, at AS time, customer, model, provider, region, input AS input_tokens, \
                      output AS output_tokens FROM input";
const GPU_SELECT: &str = "SELECT id, at AS time, customer, provider AS node, gpu, region, input AS gpu_seconds \
                          FROM input";
const MONTH: &str = "2023-11";
const CUSTOMERS: [&str; 4] = ["acme", "blue", "c/o globex", "delta"];
const PROVIDERS: [&str; 3] = ["node-1", "node-2", "node-3"];
const MODELS: [&str; 3] = ["code-1", "chat-9", "beta-1"];
const REGIONS: [&str; 2] = ["eu", "us"];
const GPUS: [&str; 2] = ["T4", "H100"];
/// How many random histories are tried.
const HISTORIES: u64 = 6;

fn pick<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[rng.usize(..of.len())]
}

/// An hour from a little before the month to a little after it.
fn hour(rng: &mut Rng) -> String {
    let (month, day) = match rng.u8(..10) {
        0 => (10, rng.u8(30..32)),
        1 => (12, rng.u8(1..3)),
        _ => (11, rng.u8(1..31)),
    };
    format!("2023-{month:02}-{day:02}T{:02}:00:00Z", rng.u8(..24))
}

fn import(books: &Books, rng: &mut Rng, name: &str) {
    for (kind, select) in [("api_call", SELECT), ("gpu_usage", GPU_SELECT)] {
        let mut rows = "id,at,customer,model,provider,region,gpu,input,output\n".to_owned();
        for id in 0..rng.usize(1..40) {
            rows += &format!(
                "{id},{},{},{},{},{},{},{},{}\n",
                hour(rng),
                pick(rng, &CUSTOMERS),
                pick(rng, &MODELS),
                pick(rng, &PROVIDERS),
                pick(rng, &REGIONS),
                pick(rng, &GPUS),
                rng.u32(1..100_000),
                rng.u32(..1000),
            );
        }
        let file = books.file("usage.csv", &rows);
        let source = format!("{name}-{kind}");
        books.run(&["import", kind, &file.to_string_lossy(), "--source", &source, "--select", select]);
    }
}

/// Prices that never tie: for everything, for one model or GPU, for that in one
/// region, and for one customer. Meters and models can be missing.
fn book(rng: &mut Rng) -> String {
    let mut book = format!("currency = \"USD\"\neffective_from = \"{}\"\n", hour(rng));
    let mut price = |rng: &mut Rng, meter: &str, matches: &str| {
        let (per, whole, part) = (rng.u32(1..5000), rng.u8(..5), rng.u64(..1_000_000_000_000));
        book += &format!(
            "[[price]]\nmeter = \"{meter}\"\nmatch = {{ {matches} }}\nper = \"{per}\"\namount = \"{whole}.{part:012}\"\n"
        );
    };
    // There must be one.
    price(rng, "requests", "");
    for (meter, dimension, values) in [
        ("tokens.input", "model", &MODELS[..]),
        ("tokens.output", "model", &MODELS[..]),
        ("gpu.seconds", "gpu", &GPUS[..]),
    ] {
        if rng.bool() {
            price(rng, meter, "");
        }
        for value in values {
            if rng.bool() {
                price(rng, meter, &format!("{dimension} = \"{value}\""));
            }
            if rng.bool() {
                let region = pick(rng, &REGIONS);
                price(rng, meter, &format!("{dimension} = \"{value}\", region = \"{region}\""));
            }
        }
        for customer in &CUSTOMERS[..2] {
            if rng.u8(..3) == 0 {
                price(rng, meter, &format!("customer = \"{customer}\""));
            }
            if rng.u8(..3) == 0 {
                let value = pick(rng, values);
                price(rng, meter, &format!("customer = \"{customer}\", {dimension} = \"{value}\""));
            }
        }
    }
    for meter in ["tokens.input", "tokens.output", "gpu.seconds", "requests"] {
        if rng.bool() {
            book += &format!("[[share]]\nmeter = \"{meter}\"\nprovider = \"0.{:012}\"\n", rng.u64(..1_000_000_000_000));
        }
    }
    book
}

/// Amounts by what a row is for and its name.
type Sums = BTreeMap<(String, String), i128>;

/// What `rate` says: now, then, and each row's difference is checked.
fn rate(books: &Books, file: &str, by: &str, more: &[&str]) -> (Sums, Sums) {
    let arguments = ["rate", "--with", file, "--period", MONTH, "--by", by, "--format", "json"];
    let rows = books.run(&[&arguments, more].concat());
    let rows: Vec<Value> = serde_json::from_str(&rows).expect("JSON");
    let (mut now, mut then) = (Sums::new(), Sums::new());
    for row in rows {
        assert_eq!(row["currency"], "USD", "{row}");
        let key = (row["of"].as_str().expect("a text").to_owned(), row[by].as_str().unwrap_or_default().to_owned());
        let of = |column: &str| scaled(&row[column], 12);
        assert_eq!(of("difference"), of("then") - of("now"), "{row}");
        now.insert(key.clone(), of("now"));
        then.insert(key, of("then"));
    }
    (now, then)
}

/// What the journal says of the month, by what `rate` gives it.
fn posted(books: &Books, by: &str) -> Sums {
    let rows = books.sql(&format!(
        "SELECT account, meter, sum(amount) AS amount FROM journal WHERE period = '{MONTH}' AND price IS NOT NULL \
         GROUP BY account, meter"
    ));
    let mut sums = Sums::new();
    for row in rows {
        let account = row["account"].as_str().expect("an account");
        let amount = scaled(&row["amount"], 12);
        let party = |before: &str, after: &str| account.strip_prefix(before)?.strip_suffix(after).map(str::to_owned);
        let (total, name, amount) = if let Some(customer) = party("customer/", "/receivable") {
            let name = if by == "meter" { row["meter"].as_str().expect("a meter").to_owned() } else { customer };
            ("all customers", (by != "provider").then_some(name), amount)
        } else if let Some(provider) = party("provider/", "/payable") {
            ("all providers", (by == "provider").then_some(provider), -amount)
        } else {
            ("platform", None, -amount)
        };
        *sums.entry((total.to_owned(), String::new())).or_default() += amount;
        if let Some(name) = name {
            *sums.entry((by.to_owned(), name)).or_default() += amount;
        }
    }
    sums
}

/// Rows of nothing are in one list or in both.
fn without_zeros(mut sums: Sums) -> Sums {
    sums.retain(|_, amount| *amount != 0);
    sums
}

/// Every file of a folder with its bytes and the moment of its last change.
fn files(folder: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let changed = path.metadata().and_then(|metadata| metadata.modified()).expect("a time");
                all.insert(path.display().to_string(), (std::fs::read(&path).expect("a file"), changed));
            }
        }
    }
    all
}

const BY: [&str; 3] = ["customer", "provider", "meter"];

#[test]
fn a_what_if_says_what_the_books_say_once_the_book_is_applied() {
    let seed = std::env::var("STEMPOINT_SEED").ok().and_then(|seed| seed.parse().ok());
    let (seeds, named) = match seed {
        Some(seed) => (seed..seed + 1, true),
        None => {
            let first = fastrand::u64(..1 << 40);
            (first..first + HISTORIES, false)
        }
    };
    let mut differences = 0;
    for seed in seeds {
        eprintln!("STEMPOINT_SEED={seed}");
        differences += history(seed);
    }
    assert!(named || differences > 0, "no book made a difference");
}

/// One random history; says how many amounts differed.
fn history(seed: u64) -> usize {
    let mut rng = Rng::with_seed(seed);
    let books = Books::new();
    for part in 0..rng.usize(1..3) {
        if rng.bool() {
            let file = books.file("prices.toml", &book(&mut rng));
            books.run(&["prices", "apply", &file.to_string_lossy()]);
        }
        import(&books, &mut rng, &format!("part-{part}"));
        books.run(&["trial-balance"]);
        if rng.u8(..4) == 0 {
            books.run(&["waive", "tokens.input", MONTH, "--match", "model=beta-1", "--reason", "a test"]);
        }
    }
    let prices = books.file("what-if.toml", &book(&mut rng));
    let prices = prices.to_string_lossy();
    let version = books.sql("SELECT max(version) AS version FROM commits")[0]["version"].to_string();

    let before = files(&books.data());
    let said: Vec<(Sums, Sums)> = BY.iter().map(|by| rate(&books, &prices, by, &[])).collect();
    assert!(files(&books.data()) == before, "rating changed the data folder");
    for (by, (now, _)) in BY.iter().zip(&said) {
        assert_eq!(without_zeros(now.clone()), without_zeros(posted(&books, by)), "now, by {by}");
    }
    books.run(&["prices", "apply", &prices]);
    for (by, (_, then)) in BY.iter().zip(&said) {
        assert_eq!(without_zeros(then.clone()), without_zeros(posted(&books, by)), "then, by {by}");
    }
    for (by, said) in BY.iter().zip(&said) {
        assert!(rate(&books, &prices, by, &["--version", &version]) == *said, "the old version says something else");
        let (now, then) = rate(&books, &prices, by, &[]);
        assert_eq!(without_zeros(now), without_zeros(then), "applied twice it makes no difference");
    }
    for (now, then) in &said {
        let total = |sums: &Sums, of: &str| sums.get(&(of.to_owned(), String::new())).copied().unwrap_or_default();
        for sums in [now, then] {
            let kept = total(sums, "all providers") + total(sums, "platform");
            assert_eq!(total(sums, "all customers"), kept, "what is paid is what is earned");
        }
    }
    said.iter().flat_map(|(now, then)| then.iter().filter(|(key, amount)| now.get(*key) != Some(*amount))).count()
}

const PRICES: &str = "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
                      [[price]]\nmeter = \"tokens.input\"\nmatch = { model = \"code-1\" }\nper = \"1000\"\namount = \"1\"\n";

fn small(books: &Books) -> String {
    let rows = "id,at,customer,model,provider,region,input,output\n\
                a,2023-11-10T00:00:00Z,acme,code-1,node-1,eu,3000,0\n\
                b,2023-11-10T00:00:00Z,blue,beta-1,node-1,eu,500,0\n";
    let file = books.file("calls.csv", rows);
    books.run(&["import", "api_call", &file.to_string_lossy(), "--source", "calls", "--select", SELECT]);
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    books.run(&["trial-balance"]);
    let other = PRICES.replace("\"1\"", "\"1.5\"").replace("11-01T00", "11-10T00").replace("code-1", "beta-1");
    let all = "[[price]]\nmeter = \"tokens.input\"\nper = \"1000\"\namount = \"2\"\n[[share]]\nmeter = \"tokens.input\"\nprovider = \"0.25\"\n";
    books.file("other.toml", &(other + all)).to_string_lossy().into_owned()
}

#[test]
fn a_table_says_who_pays_and_earns_what_also_beside_a_server_and_of_a_closed_month() {
    let books = Books::new();
    let other = small(&books);
    let command = ["rate", "--with", &other, "--period", MONTH];
    let table = " of            | customer | currency | now |   then | difference
---------------+----------+----------+-----+--------+------------
 customer      | acme     | USD      |   3 | 6      |     3
 customer      | blue     | USD      |   0 | 0.75   |     0.75
 all customers |          | USD      |   3 | 6.75   |     3.75
 all providers |          | USD      |   0 | 1.6875 |     1.6875
 platform      |          | USD      |   3 | 5.0625 |     2.0625
(5 rows)
";
    let printed = books.run(&command);
    assert_eq!(printed, table);
    let said = books.output(&command);
    assert!(String::from_utf8_lossy(&said.stderr).contains("nothing was changed"));

    let server = books.serve(|_| (), &[]);
    assert_eq!(books.run(&command), printed, "beside a server");
    server.stop();
    books.run(&["waive", "tokens.input", MONTH, "--match", "model=beta-1", "--reason", "a test"]);
    let waived = books.run(&[&command[..], &["--format", "csv"]].concat());
    assert!(waived.contains("customer,acme,USD,3,6,3\n") && !waived.contains("blue"), "{waived}");
    books.run(&["period", "close", MONTH]);
    assert_eq!(books.run(&[&command[..], &["--format", "csv"]].concat()), waived, "of a closed month");
    let still = PRICES.replace("code-1", "chat-9").replace("11-01", "11-05");
    let still = books.file("still.toml", &still).to_string_lossy().into_owned();
    let said = books.output(&["rate", "--with", &still, "--period", MONTH]);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("without a price even then: 3000 tokens.input"), "{said}");
}

#[test]
fn what_cannot_be_rated_is_told_why() {
    let books = Books::new();
    let other = small(&books);
    let wrong = books.file("wrong.toml", &PRICES.replace("\"1000\"", "\"0\"")).to_string_lossy().into_owned();
    for (arguments, says) in [
        (vec!["rate", "--with", &wrong, "--period", MONTH], "wrong.toml, line 6: per must be more than 0"),
        (vec!["rate", "--with", "none.toml", "--period", MONTH], "failed to read none.toml"),
        (vec!["rate", "--with", &other, "--period", "2023-13"], "2023-13"),
        (vec!["rate", "--with", &other, "--period", "2023-10"], "nothing is billed in 2023-10 at ledger version"),
        (vec!["rate", "--with", &other, "--period", "2023-10"], "only 2023-11 has usage that is settled"),
        (vec!["rate", "--with", &other, "--period", MONTH, "--version", "999"], "there is no ledger version 999"),
        (vec!["rate", "--with", &other, "--period", MONTH, "--version", "-1"], "-1"),
        (vec!["rate", "--with", &other, "--period", MONTH, "--version", "0"], "no usage is settled yet"),
    ] {
        let error = books.fail(&arguments);
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
    let nowhere = Books::new();
    nowhere.fail(&["rate", "--with", &other, "--period", MONTH]);
    assert!(!nowhere.data().exists(), "asking makes no books");
}

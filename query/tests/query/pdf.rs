//! Documents as PDF: what other readers make of them.

use std::path::PathBuf;

use stempoint_query::documents::{DocumentFormat, Issuer, Letterhead, Statement, attached, earnings, invoice, render};

use crate::documents::{HOSTILE, LONG, books, request};
use crate::{credit_notes, golden, pictures};

pub fn letterhead() -> Letterhead {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Letterhead {
        issuer: Some(Issuer {
            name: "Example Compute Ltd".to_owned(),
            address: texts(&["1 Example Street", "EC1A 1AA London", "United Kingdom"]),
            tax_id: Some("GB 123 4567 89".to_owned()),
            email: Some("billing@example.com".to_owned()),
            payment: texts(&["IBAN GB00 EXMP 0000 0000 0000 00", "BIC EXMPGB00"]),
        }),
        due_days: Some(30),
        notes: texts(&["Usage is metered in UTC. Questions about a line: name its number and the ledger version."]),
    }
}

/// The documents, by the names of their golden files.
async fn documents() -> Vec<(&'static str, Statement, Letterhead)> {
    let books = books();
    let session = books.session(None).await.unwrap();
    let mut all = Vec::new();
    for (name, party) in [
        ("invoice-short", "acme"),
        ("invoice-long", "globex"),
        ("invoice-hostile", HOSTILE),
        ("invoice-wide", LONG),
        ("invoice-waiting", "waiting"),
        ("invoice-repeated", "repeated"),
    ] {
        all.push((name, invoice(&session, &request(party)).await.unwrap(), letterhead()));
    }
    for (name, party) in [("earnings-short", "node-7"), ("earnings-none", "no<de")] {
        all.push((name, earnings(&session, &request(party)).await.unwrap(), Letterhead::default()));
    }
    all
}

fn written(name: &str, statement: &Statement, letterhead: &Letterhead) -> (Vec<u8>, PathBuf) {
    let pdf = render(statement, letterhead, DocumentFormat::Pdf);
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.pdf"));
    std::fs::write(&path, &pdf).unwrap();
    (pdf, path)
}

/// The credit notes, written to files.
async fn credit_notes(kind: &str) -> Vec<(&'static str, PathBuf)> {
    let books = credit_notes::books();
    let session = books.session(None).await.unwrap();
    let mut files = Vec::new();
    for (name, note) in credit_notes::notes(&session).await {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{kind}-{name}.pdf"));
        std::fs::write(&path, note.render(&letterhead(), DocumentFormat::Pdf)).unwrap();
        files.push((name, path));
    }
    files
}

#[tokio::test]
async fn pages_look_as_the_pictures_say() {
    if !pictures::has("pdftoppm", "pdf::pages_look_as_the_pictures_say") {
        return;
    }
    for (name, path) in credit_notes("look").await {
        pictures::check(name, &path, 3);
    }
    for (name, statement, letterhead) in documents().await {
        let (_, path) = written(&format!("look-{name}"), &statement, &letterhead);
        pictures::check(name, &path, 3);
    }
}

#[tokio::test]
async fn the_text_of_the_pages_is_as_the_files_say() {
    if !pictures::has("pdftotext", "pdf::the_text_of_the_pages_is_as_the_files_say") {
        return;
    }
    for (name, path) in credit_notes("text").await {
        golden::check(&format!("pdf/{name}.txt"), &pictures::text(&path));
    }
    for (name, statement, letterhead) in documents().await {
        let (_, path) = written(&format!("text-{name}"), &statement, &letterhead);
        golden::check(&format!("pdf/{name}.txt"), &pictures::text(&path));
    }
}

/// Another library reads the pages, their text and the attached file.
#[tokio::test]
async fn another_reader_finds_every_page_amount_and_query() {
    for (name, statement, letterhead) in documents().await {
        let (pdf, _) = written(&format!("read-{name}"), &statement, &letterhead);
        let document = lopdf::Document::load_mem(&pdf).unwrap();
        let numbers: Vec<u32> = document.get_pages().into_keys().collect();
        let text = document.extract_text(&numbers).unwrap();
        let squeezed: String = text.split_whitespace().collect();
        for line in &statement.lines {
            let sql = line.sql.replace('\u{202e}', "\\u{202e}").replace(' ', "");
            assert!(squeezed.contains(&sql), "{name}: {sql}\n{squeezed}");
        }
        assert!(squeezed.contains(&format!("Page{0}of{0}", numbers.len())), "{name}");
        assert!(squeezed.replace(',', "").contains(&statement.total.with_places(2)), "{name}");
        let json = render(&statement, &letterhead, DocumentFormat::Json);
        assert_eq!(attached(&pdf).unwrap(), json, "{name}");
        let streams = document.objects.values().filter_map(|object| object.as_stream().ok());
        let files: Vec<Vec<u8>> = streams
            .filter(|stream| stream.dict.has_type(b"EmbeddedFile"))
            .map(|stream| stream.decompressed_content().unwrap())
            .collect();
        assert_eq!(files, [json], "{name}");
    }
}

#[tokio::test]
async fn every_format_names_the_issuer() {
    let books = books();
    let session = books.session(None).await.unwrap();
    let statement = invoice(&session, &request("acme")).await.unwrap();
    for format in [DocumentFormat::Text, DocumentFormat::Json, DocumentFormat::Html] {
        let text = String::from_utf8(render(&statement, &letterhead(), format)).unwrap();
        let expected: &[&str] = match format {
            DocumentFormat::Json => &["Example Compute Ltd", "GB 123 4567 89", "IBAN GB00"],
            _ => &["Example Compute Ltd", "GB 123 4567 89", "IBAN GB00", "Payable within 30 days", "Usage is metered"],
        };
        for word in expected {
            assert!(text.contains(word), "{format}: {word}\n{text}");
        }
    }
}

/// `cargo test --workspace --release --test query -- --ignored --nocapture pdf::measure` prints times and sizes.
#[tokio::test]
#[ignore = "it measures"]
async fn measure() {
    let books = books();
    let session = books.session(None).await.unwrap();
    let statement = invoice(&session, &request("globex")).await.unwrap();
    for count in [40, 5_000] {
        let lines = statement.lines.iter().cycle().take(count).cloned().collect();
        let statement = Statement { lines, ..statement.clone() };
        let begun = std::time::Instant::now();
        let (pdf, _) = written(&format!("measure-{count}"), &statement, &letterhead());
        let took = begun.elapsed();
        let pages = lopdf::Document::load_mem(&pdf).unwrap().get_pages().len();
        println!("{count} lines: {took:.0?}, {} bytes, {pages} pages", pdf.len());
    }
}

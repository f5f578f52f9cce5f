//! Credit notes that somebody gave: to the byte, by their queries, and as
//! stored documents.

use stempoint_query::Session;
use stempoint_query::documents::{Document, DocumentFormat, Letterhead, Stored, Subject};
use stempoint_schemas::tables::{ALLOCATIONS, INVOICES, JOURNAL};
use stempoint_schemas::time::Month;

use crate::documents::HOSTILE;
use crate::golden;
use crate::support::{Books, Cell, Row, csv};

/// Of a part of an invoice, used for two and not wholly.
const PART: &str = "SPEU-000003";
/// Of no invoice, with a reason as long as there can be.
const FREE: &str = "SPEU-000005";
/// Given on the last microsecond of a month.
const LAST: &str = "SPEU-000006";

/// Net, tax and total.
type Amounts = [&'static str; 3];

fn document(line: i64, number: &str, customer: &str, issued: &str, [net, tax, total]: Amounts) -> Row {
    vec![
        ("_offset", (20 + line).into()),
        ("line", line.into()),
        ("number", number.into()),
        ("kind", if total.starts_with('-') { "credit_note" } else { "invoice" }.into()),
        ("entity", "SPEU".into()),
        ("customer", customer.into()),
        ("currency", "USD".into()),
        ("subtotal", net.into()),
        ("net", net.into()),
        ("tax", tax.into()),
        ("total", total.into()),
        ("issued_at", issued.into()),
    ]
}

fn with(mut row: Row, more: &[(&'static str, Cell)]) -> Row {
    row.extend(more.iter().cloned());
    row
}

fn invoice(line: i64, number: &str, period: &str, amounts: Amounts) -> Row {
    let of_month = [("period", period.into()), ("tax_name", "VAT".into()), ("tax_rate", "0.19".into())];
    with(document(line, number, "acme", "2023-12-01T09:00:00Z", amounts), &of_month)
}

fn posting(document: &str, account: &str, amount: &str) -> Row {
    vec![
        ("_offset", 23.into()),
        ("account", account.into()),
        ("asset", "USD".into()),
        ("amount", amount.into()),
        ("document", document.into()),
    ]
}

fn used(line: i64, invoice: &str, source: &str, amount: &str) -> Row {
    vec![
        ("_offset", (20 + line).into()),
        ("line", 1.into()),
        ("invoice", invoice.into()),
        ("source", source.into()),
        ("customer", "acme".into()),
        ("currency", "USD".into()),
        ("amount", amount.into()),
    ]
}

pub fn books() -> Books {
    let mut books = Books::new();
    let (part, free) = (["-1000", "-190", "-1190"], ["-25.5", "0", "-25.5"]);
    books.add(
        &INVOICES,
        &[
            invoice(1, "SPEU-000001", "2023-11", ["3000", "570", "3570"]),
            invoice(2, "SPEU-000002", "2023-11", ["10", "1.9", "11.9"]),
            with(
                document(3, PART, "acme", "2023-12-05T10:30:00Z", part),
                &[("corrects", "SPEU-000001".into()), ("reason", "billed twice".into())],
            ),
            invoice(4, "SPEU-000004", "2023-12", ["100", "19", "119"]),
            with(
                document(5, FREE, HOSTILE, "2023-12-01T00:00:00Z", free),
                &[("reason", format!("<b>an outage</b>, {}", "which went on and on, ".repeat(10)).into())],
            ),
            with(document(6, LAST, "acme", "2023-12-31T23:59:59.999999Z", free), &[("reason", "thanks".into())]),
            // A month's credit note is another document.
            with(invoice(7, "SPEU-000007", "2023-12", ["-1", "-0.19", "-1.19"]), &[]),
        ],
    );
    books.add(
        &ALLOCATIONS,
        &[
            used(3, "SPEU-000001", PART, "1000.5"),
            used(2, "SPEU-000001", "payment-21", "2569.5"),
            used(4, "SPEU-000004", PART, "119"),
        ],
    );
    books.add(
        &JOURNAL,
        &[
            posting(PART, "customer/acme/receivable", "-1000.5"),
            posting(PART, "customer/acme/credit", "-189.5"),
            posting(PART, "platform/refunds", "1000"),
            posting(PART, "platform/tax", "190"),
            posting(FREE, "platform/refunds", "25.5"),
            posting(FREE, &format!("customer/{HOSTILE}/credit"), "-25.5"),
            posting(LAST, "platform/refunds", "25.5"),
        ],
    );
    books.commit(7, &[], 24);
    books.commit(8, &[], 40);
    books
}

/// The documents, by the names of their golden files.
pub async fn notes(session: &Session) -> Vec<(&'static str, Document)> {
    let mut notes = Vec::new();
    for (name, number) in [("credit-note-part", PART), ("credit-note-free", FREE)] {
        notes.push((name, Document::numbered(session, number).await.unwrap()));
    }
    notes
}

#[tokio::test]
async fn credit_notes_are_as_the_files_say() {
    let books = books();
    let session = books.session(None).await.unwrap();
    for (name, note) in notes(&session).await {
        for (format, extension) in [
            (DocumentFormat::Text, "txt"),
            (DocumentFormat::Json, "json"),
            (DocumentFormat::Csv, "csv"),
            (DocumentFormat::Html, "html"),
        ] {
            let text = String::from_utf8(note.render(&Letterhead::default(), format)).unwrap();
            golden::check(&format!("{name}.{extension}"), &text);
        }
    }
}

#[tokio::test]
async fn the_query_of_each_amount_gives_it_and_all_add_up() {
    let books = books();
    let session = books.session(Some(8)).await.unwrap();
    for number in [PART, FREE, LAST] {
        let Document::CreditNote(note) = Document::numbered(&session, number).await.unwrap() else {
            panic!("{number} is a credit note")
        };
        let lines = note.lines.iter().map(|line| (line.amount, &line.sql));
        let mut sum = 0;
        for (amount, sql) in lines.chain(note.uses.iter().map(|part| (part.amount, &part.sql))) {
            sum += amount.pico();
            assert_eq!(csv(&session, sql).await.unwrap(), format!("amount\n{amount}\n"), "{sql}");
        }
        assert_eq!(sum, 0, "what is credited went somewhere: {note:?}");
        assert_eq!(note.net.plus(note.tax).unwrap(), note.total);
    }
}

/// What is used later is on a later version; the earlier one stays as it was.
#[tokio::test]
async fn a_stored_credit_note_holds_at_its_version_and_a_changed_one_does_not() {
    let books = books();
    for (version, uses) in [(7, "\"1000.5\""), (8, "\"119\"")] {
        let session = books.session(Some(version)).await.unwrap();
        let note = Document::numbered(&session, PART).await.unwrap();
        for format in [DocumentFormat::Json, DocumentFormat::Csv, DocumentFormat::Pdf] {
            let file = note.render(&Letterhead::default(), format);
            let stored = Stored::read(&file).unwrap();
            assert_eq!((&stored.subject, stored.ledger_version), (&Subject::CreditNote(PART.to_owned()), version));
            let again = Document::of(&session, &stored.subject).await.unwrap();
            assert_eq!(stored.differences(&again).unwrap(), Vec::<String>::new(), "{format}");
        }
        let json = String::from_utf8(note.render(&Letterhead::default(), DocumentFormat::Json)).unwrap();
        assert!(json.contains(uses), "{json}");
        for (from, to, says) in [
            ("\"billed twice\"", "\"a gift\"", "reason is a gift, the books say billed twice"),
            ("\"-1000\"", "\"-1001\"", "line 1 (net): amount is -1001, the books say -1000"),
            ("\"1000.5\"", "\"1000.6\"", "SPEU-000001): amount is 1000.6, the books say 1000.5"),
            ("\"0.19\"", "\"0.2\"", "tax_rate is 0.2, the books say 0.19"),
        ] {
            let changed = Stored::read(json.replacen(from, to, 1).as_bytes()).unwrap();
            let differences = changed.differences(&note).unwrap().join("\n");
            assert!(differences.contains(says), "{says:?} is not in {differences:?}");
        }
    }
}

#[tokio::test]
async fn a_months_credit_notes_are_those_that_were_given_in_it() {
    let books = books();
    let session = books.session(None).await.unwrap();
    for (period, expected) in [("2023-11", &[][..]), ("2023-12", &[PART, FREE, LAST]), ("2024-01", &[])] {
        let notes = Document::credit_notes(&session, Month::parse(period).unwrap()).await.unwrap();
        assert_eq!(notes.iter().map(|note| note.number().unwrap()).collect::<Vec<_>>(), expected, "{period}");
    }
    let error = Document::numbered(&session, "SPEU-000099").await.unwrap_err().to_string();
    assert!(error.starts_with("there is no invoice or credit note \"SPEU-000099\""), "{error}");
}

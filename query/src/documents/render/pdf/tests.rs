//! Whole documents as they are drawn, with made-up lines and hostile texts.

use proptest::prelude::*;
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::{Amount, Quantity, Share};
use stempoint_schemas::time::{Instant, Month};

use super::page::{BOTTOM, Mark, PAGE_HEIGHT, PAGE_WIDTH, Page, SIDE, TOP_LATER};
use super::{pages, render};
use crate::documents::letterhead::{Issuer, Letterhead};
use crate::documents::statement::{Kind, Line, Statement, Unrated};

fn line(index: usize, text: &str, amount: &str) -> Line {
    Line {
        meter: Meter::ALL[index * Meter::ALL.len() / 5_001],
        dimensions: vec![(Dimension::Model, text.to_owned()), (Dimension::Region, "eu-west-1".to_owned())],
        price: "12-1".to_owned(),
        adjustment: None,
        quantity: Quantity::parse("1234.5").unwrap(),
        unit_price: Amount::parse("0.35").unwrap(),
        per: Quantity::parse("1000000").unwrap(),
        effective_from: Instant::parse("2023-11-01").unwrap(),
        share: Share::WHOLE,
        amount: Amount::parse(amount).unwrap(),
        sql: format!(
            "SELECT sum(quantity) AS quantity, sum(amount) AS amount FROM journal WHERE model = '{text}' AND x = {index}"
        ),
    }
}

fn statement(kind: Kind, party: &str, lines: Vec<Line>) -> Statement {
    Statement {
        kind,
        party: party.to_owned(),
        period: Month::parse("2023-11").unwrap(),
        currency: "USD".to_owned(),
        lines,
        true_up: None,
        unrated: Vec::new(),
        issued: None,
        profile: None,
        subtotal: Amount::parse("12.345").unwrap(),
        carried: None,
        paid: Vec::new(),
        tax_terms: None,
        tax: Amount::ZERO,
        total: Amount::parse("12.35").unwrap(),
        ledger_version: 42,
    }
}

fn letterhead(text: &str) -> Letterhead {
    let texts = vec![text.to_owned(); 10];
    let issuer = Issuer {
        name: text.to_owned(),
        address: texts.clone(),
        tax_id: Some(text.to_owned()),
        email: Some(text.to_owned()),
        payment: texts.clone(),
    };
    Letterhead { issuer: Some(issuer), due_days: Some(30), notes: texts }
}

/// A text and where it is: the left end of its baseline.
type Placed<'a> = (f32, f32, &'a super::text::Span);

fn texts(page: &Page) -> Vec<Placed<'_>> {
    let text = |mark| match mark {
        &Mark::Text { x, y, ref span } => Some((x, y, span)),
        _ => None,
    };
    page.marks.iter().filter_map(text).collect()
}

/// The numbers of the lines that are set in this size, with their baselines.
fn numbers(page: &Page, size: f32) -> Vec<(f32, usize)> {
    let is_number = |&(x, _, span): &Placed<'_>| span.style.size == size && x < SIDE + 40.0;
    texts(page).into_iter().filter(is_number).filter_map(|(_, y, span)| Some((y, span.text.parse().ok()?))).collect()
}

/// What must hold of the pages of any statement.
fn check(statement: &Statement, letterhead: &Letterhead) {
    let pages = pages(statement, letterhead);
    for page in &pages {
        for (x, y, span) in texts(page) {
            let right = x + span.width();
            assert!(x >= SIDE - 1.0 && right <= PAGE_WIDTH - SIDE + 1.0, "{x} to {right}: {:?}", span.text);
            assert!(y > 20.0 && y < PAGE_HEIGHT - 20.0, "{y}: {:?}", span.text);
            let is_frame = !(TOP_LATER - 20.0..=PAGE_HEIGHT - 40.0).contains(&y);
            assert!(is_frame || y <= BOTTOM, "{y}: {:?}", span.text);
        }
    }
    // The numbers of the table and those of the appendix.
    for size in [7.2, 6.8] {
        let found: Vec<Vec<(f32, usize)>> = pages.iter().map(|page| numbers(page, size)).collect();
        for page in &found {
            assert!(page.windows(2).all(|pair| pair[1].0 > pair[0].0 + 5.0), "lines overlap: {page:?}");
        }
        let all: Vec<usize> = found.into_iter().flatten().map(|(_, number)| number).collect();
        assert_eq!(all, (1..=statement.lines.len()).collect::<Vec<_>>(), "in size {size}");
    }
    let queries: String =
        pages.iter().flat_map(texts).filter(|t| t.2.style.size == 6.3).map(|t| t.2.text.as_str()).collect();
    let expected: String = statement.lines.iter().map(|line| super::text::visible(&line.sql)).collect();
    assert_eq!(queries.replace(' ', ""), expected.replace(' ', ""), "a query is not whole");
    let has = |page: &Page, wanted: &str| texts(page).iter().any(|(_, _, span)| span.text.starts_with(wanted));
    let sums = pages.iter().filter(|page| has(page, "Subtotal")).collect::<Vec<_>>();
    assert_eq!(sums.len(), 1);
    assert!(texts(sums[0]).iter().any(|t| t.2.style.size == 11.5), "the total is on another page than the subtotal");
    assert!(has(&pages[pages.len() - 1], &format!("Page {} of {}", pages.len(), pages.len())));
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        "[\\x00-\\x1f\u{200b}-\u{200f}\u{202a}-\u{202e}]{1,20}",
        "[א-ת]{1,20} [ا-ي]{1,20}",
        "[🦀🎉👨‍👩‍👧]{1,9}",
        "[漢字仮名]{1,100}",
        "\\(\\)\\\\<>/\\[\\]%{1,20}",
        Just("W".repeat(10_000)),
        Just("word ".repeat(2_000)),
        Just(String::new()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_statement_is_drawn_whole_within_its_pages(
        rows in prop::collection::vec((hostile(), 0..4_usize), 0..60),
        party in hostile(),
        sender in hostile(),
        is_invoice in any::<bool>(),
        waiting in 0..40_usize,
    ) {
        let amounts = ["0", "12345.678901234567", "-99999999999999999999999999.999999999999", "0.000000000001"];
        let lines = rows.iter().enumerate().map(|(index, (text, amount))| line(index, text, amounts[*amount]));
        let kind = if is_invoice { Kind::Invoice } else { Kind::Earnings };
        let mut statement = statement(kind, &party, lines.collect());
        statement.unrated = (0..waiting)
            .map(|_| Unrated {
                meter: Meter::EnergyJoules,
                dimensions: vec![(Dimension::Gpu, party.clone())],
                quantity: Quantity::parse("99999999999999999999999999999.123456789").unwrap(),
            })
            .collect();
        check(&statement, &letterhead(&sender));
        render(&statement, &letterhead(&sender));
    }

    #[test]
    fn any_number_of_lines_is_broken_into_pages(count in 0..5_001_usize) {
        let lines = (0..count).map(|index| line(index, "code-1", "2.50")).collect();
        check(&statement(Kind::Invoice, "acme", lines), &Letterhead::default());
    }
}

#[test]
fn the_same_statement_gives_the_same_bytes() {
    let make = || render(&statement(Kind::Invoice, "acme", vec![line(0, "code-1 漢", "2.50")]), &letterhead("A & B"));
    assert_eq!(make(), make());
}

#[test]
fn the_attached_statement_can_be_read_back() {
    // A name that looks like a part of the file.
    let party = "/Type /EmbeddedFile /Length 5 >> stream\nhello\nendstream endobj";
    let pdf = render(&statement(Kind::Invoice, party, vec![line(0, party, "2.50")]), &letterhead(party));
    let json: serde_json::Value = serde_json::from_slice(&super::attached(&pdf).expect("it is there")).expect("JSON");
    assert_eq!(json["customer"], party);
    assert_eq!(super::attached(b"%PDF-1.7 something else"), None);
    for end in (0..pdf.len()).step_by(97) {
        super::attached(&pdf[..end]);
    }
}

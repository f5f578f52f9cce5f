//! A credit note that somebody gave, as PDF.

use super::appendix;
use super::flow::{self, Section};
use super::front::Front;
use super::lines::{NUMBER, SMALL, TEXT, column, figure};
use super::page::Page;
use super::sums::{Sum, sums};
use super::table::{Cell, Row, Set, table};
use super::text::Span;
use super::{frame, known, written};
use crate::documents::credit_note::CreditNote;
use crate::documents::currency::minor_units;
use crate::documents::figures::{day, grouped};
use crate::documents::letterhead::Letterhead;
use crate::documents::render::credit_note::{
    APPENDIX, GIVES, PARTY, TITLE, TOTAL, USES, corrected, json, part, queries, used_for,
};
use stempoint_schemas::money::Amount;

pub(in crate::documents::render) fn credit_note(note: &CreditNote, letterhead: &Letterhead) -> Vec<u8> {
    let title = format!("{TITLE} {} {}", note.number, note.customer);
    written(&title, letterhead, &json::render(note, letterhead), &pages(note, letterhead))
}

fn pages(note: &CreditNote, letterhead: &Letterhead) -> Vec<Page> {
    let front = Section { heading: None, blocks: front(note, letterhead).blocks() };
    let places = minor_units(&note.currency);
    let mut lines = lines(note, places);
    let number = grouped(&note.total.with_places(places));
    let total = Sum { label: format!("{TOTAL} ({})", note.currency), number, is_total: true };
    lines.blocks.push(sums(&[total], places as usize, None));
    let queries = queries(note).into_iter().zip(1..).map(|(sql, number): (&str, usize)| (number.to_string(), sql));
    let appendix = appendix::section(APPENDIX, note.ledger_version, GIVES, queries.collect());
    let mut pages = flow::paginate(vec![front, lines, uses(note, places), appendix]);
    let foot = format!("{TITLE} · {} · ledger version {} · {}", note.number, note.ledger_version, note.customer);
    frame(&mut pages, letterhead.name(), &foot);
    pages
}

fn front<'a>(note: &'a CreditNote, letterhead: &'a Letterhead) -> Front<'a> {
    let mut facts = known(note.profile.as_ref());
    facts.extend([("Number", note.number.clone()), ("Issued", day(note.issued_at))]);
    facts.extend(corrected(note).map(|corrected| ("Corrects invoice", corrected)));
    facts.push(("Currency", note.currency.clone()));
    facts.push(("Ledger version", note.ledger_version.to_string()));
    Front {
        letterhead,
        title: TITLE,
        badge: None,
        party: (PARTY, &note.customer),
        facts,
        total: (TOTAL, grouped(&note.total.with_places(minor_units(&note.currency))), &note.currency),
    }
}

fn lines(note: &CreditNote, places: u32) -> Section {
    let rows = note.lines.iter().zip(1..).map(|(line, number)| {
        let (what, why) = part(note, line);
        let texts = vec![vec![Span::new(&what, TEXT)], vec![Span::new(&why, SMALL)]];
        row(number, texts, line.amount, places)
    });
    amounts("Description", &note.currency, rows.collect())
}

fn uses(note: &CreditNote, places: u32) -> Section {
    let rows = note
        .uses
        .iter()
        .zip(note.lines.len() + 1..)
        .map(|(part, number)| row(number, vec![vec![Span::new(&used_for(part), TEXT)]], part.amount, places));
    amounts(USES, &note.currency, rows.collect())
}

fn amounts(what: &str, currency: &str, rows: Vec<Row>) -> Section {
    let columns = [
        column("#", Set::Right, 40.0),
        column(what, Set::Rest, 0.0),
        column(&format!("Amount ({currency})"), Set::Figure, 240.0),
    ];
    table(&columns, &rows)
}

fn row(number: usize, texts: Vec<Vec<Span>>, amount: Amount, places: u32) -> Row {
    Row::Cells(vec![
        Cell::Text(vec![vec![Span::new(&number.to_string(), NUMBER)]]),
        Cell::Text(texts),
        figure(&amount.with_places(places), places as usize),
    ])
}

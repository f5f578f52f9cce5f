//! A statement as PDF: the page of `html.rs` for paper and for archives.
//!
//! From the statement come blocks (`front`, `lines`, `sums`, `appendix`), from
//! blocks pages (`flow`), from pages a file (`file`).
//!
//! Invariants: the bytes depend on the statement and the letterhead alone; no
//! figure and no query is cut; texts from outside cannot leave the page or
//! change the order of what is around them; the statement is attached as
//! JSON, so that one file serves people and programs.

mod appendix;
mod attached;
mod credit_note;
mod embed;
mod face;
mod file;
mod flow;
mod front;
mod lines;
mod page;
mod sums;
mod table;
mod text;

pub use attached::attached;
pub(super) use credit_note::credit_note;

use self::face::Face;
use self::front::Front;
use self::page::{PAGE_HEIGHT, Page, SIDE, WIDTH};
use self::sums::Sum;
use self::text::{FAINT, RULE, Span, Style, fitted};
use stempoint_schemas::profile::{Item, Profile};

use super::words::{Words, after_total, before_total, rounding, to_be_paid, words};
use crate::documents::currency::minor_units;
use crate::documents::figures::{day, days, grouped};
use crate::documents::letterhead::Letterhead;
use crate::documents::statement::{Kind, Statement};

const FRAME: Style = Style::new(Face::Regular, 7.2, FAINT);

pub(crate) fn render(statement: &Statement, letterhead: &Letterhead) -> Vec<u8> {
    let title = format!("{} {} {}", words(statement).title, statement.party, statement.period);
    written(&title, letterhead, &super::json::render(statement, letterhead), &pages(statement, letterhead))
}

fn written(title: &str, letterhead: &Letterhead, json: &str, pages: &[Page]) -> Vec<u8> {
    let facts = file::Facts { title: &text::visible(title), author: letterhead.name(), json: json.as_bytes() };
    file::write(pages, &facts)
}

fn pages(statement: &Statement, letterhead: &Letterhead) -> Vec<Page> {
    let words = words(statement);
    let front = flow::Section { heading: None, blocks: front(statement, letterhead, &words).blocks() };
    let mut lines = lines::section(statement);
    lines.blocks.push(totals(statement, &words));
    let mut sections = vec![front, lines, lines::unrated(statement)];
    if statement.kind == Kind::Invoice {
        sections.push(sums::payment(letterhead));
    }
    let queries = statement.queries().zip(1..).map(|(sql, number)| (number.to_string(), sql));
    let gives = "the quantity and the amount of that line";
    sections.push(appendix::section(words.appendix, statement.ledger_version, gives, queries.collect()));
    let mut pages = flow::paginate(sections);
    let foot = format!(
        "{} · {} · ledger version {} · {}",
        words.title, statement.period, statement.ledger_version, statement.party
    );
    frame(&mut pages, letterhead.name(), &foot);
    pages
}

fn front<'a>(statement: &'a Statement, letterhead: &'a Letterhead, words: &Words) -> Front<'a> {
    let places = minor_units(&statement.currency);
    let mut facts = known(statement.profile.as_ref());
    facts.push(("Period", format!("{} (UTC)", days(statement.period))));
    match &statement.issued {
        None => facts.push(("Number", "Not finalised".to_owned())),
        Some(issued) => {
            facts.extend([("Number", issued.number.clone()), ("Issued", day(issued.issued_at))]);
            facts.extend(issued.due_at.map(|due| ("Due", day(due))));
        }
    }
    facts.push(("Currency", statement.currency.clone()));
    facts.push(("Ledger version", statement.ledger_version.to_string()));
    let (label, amount) = to_be_paid(statement).unwrap_or((words.total, statement.total));
    Front {
        letterhead,
        title: words.title,
        badge: statement.issued.is_none().then_some("Draft"),
        party: (words.party, &statement.party),
        facts,
        total: (label, grouped(&amount.with_places(places)), &statement.currency),
    }
}

/// What is known of the party.
fn known(profile: Option<&Profile>) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(profile) = profile {
        facts.extend(profile.get(Item::Name).map(|name| ("Name", name.to_owned())));
        let address = profile.address_lines().collect::<Vec<_>>().join(", ");
        facts.extend((!address.is_empty()).then_some(("Address", address)));
        facts.extend(profile.get(Item::TaxId).map(|id| ("Tax id", id.to_owned())));
    }
    facts
}

fn totals(statement: &Statement, words: &Words) -> page::Block {
    let number =
        |amount: stempoint_schemas::money::Amount| grouped(&amount.with_places(minor_units(&statement.currency)));
    let sum = |label: String, amount, is_total| Sum { label, number: number(amount), is_total };
    let mut all: Vec<Sum> =
        before_total(statement).into_iter().map(|(name, amount)| sum(text::visible(&name), amount, false)).collect();
    let total = |label: &str, amount| sum(format!("{label} ({})", statement.currency), amount, true);
    all.push(total(words.total, statement.total));
    all.extend(after_total(statement).into_iter().map(|(name, amount)| sum(text::visible(&name), amount, false)));
    all.extend(to_be_paid(statement).map(|(label, amount)| total(label, amount)));
    sums::sums(&all, minor_units(&statement.currency) as usize, rounding(statement))
}

/// The head of the pages after the first, and the foot of all.
fn frame(pages: &mut [Page], head: &str, foot: &str) {
    let count = pages.len();
    for (index, page) in pages.iter_mut().enumerate() {
        let mut frame = page::Block::default();
        if index > 0 {
            frame.text(0.0, 46.0, &[fitted(Span::new(head, FRAME), WIDTH)]);
            frame.rule(53.0, 0.5, RULE);
        }
        let y = PAGE_HEIGHT - 34.0;
        frame.rule(y - 14.0, 0.5, RULE);
        let number = Span::new(&format!("Page {} of {count}", index + 1), FRAME);
        frame.text(0.0, y, &[fitted(Span::new(foot, FRAME), WIDTH - number.width() - 24.0)]);
        frame.text_to(WIDTH, y, &[number]);
        page.marks.extend(frame.marks.into_iter().map(|mark| mark.moved(SIDE, 0.0)));
    }
}

#[cfg(test)]
mod tests;

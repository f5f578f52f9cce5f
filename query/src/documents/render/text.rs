//! A statement for a terminal, and what other documents share with it.
//!
//! Invariant: numbers stand below each other at their decimal points, sums
//! below the amounts that they add up.

use std::fmt::Write as _;

use stempoint_schemas::money::Amount;
use stempoint_schemas::profile::{Item, Profile};

use super::words::{after_total, before_total, to_be_paid};
use crate::documents::currency::minor_units;
use crate::documents::figures::{
    day, days, dimensions, grouped, lacking, per, percent, short_moment, since, units, what,
};
use crate::documents::letterhead::Letterhead;
use crate::documents::statement::{Kind, Line, Statement};
use crate::output::printable;

/// The narrowest rule below the headings (characters).
pub(super) const RULE_CHARS_MIN: usize = 72;

pub(crate) fn render(statement: &Statement, letterhead: &Letterhead) -> String {
    let mut text = String::new();
    heading(statement, letterhead, &mut text);
    if statement.amounts().next().is_none() {
        text.push_str("  Nothing is charged in this period.\n\n");
    }
    lines(statement, &mut text);
    unrated(statement, &mut text);
    if statement.kind == Kind::Invoice {
        payment(letterhead, &mut text);
    }
    let command = match statement.kind {
        Kind::Invoice => "invoice",
        Kind::Earnings => "earnings",
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "  To check a line: `stempoint {command} … --format json` gives its SQL, and\n  \
         `stempoint sql \"…\" --version {}` gives the same figures, now and later.",
        statement.ledger_version
    );
    text
}

fn heading(statement: &Statement, letterhead: &Letterhead, text: &mut String) {
    let (title, role) = match (statement.kind, &statement.issued) {
        (Kind::Invoice, None) => ("INVOICE (draft, not finalised)".to_owned(), "Customer"),
        (Kind::Invoice, Some(issued)) if issued.is_credit_note => {
            (format!("CREDIT NOTE {}", issued.number), "Customer")
        }
        (Kind::Invoice, Some(issued)) => (format!("INVOICE {}", issued.number), "Customer"),
        (Kind::Earnings, None) => ("STATEMENT OF EARNINGS (draft, not finalised)".to_owned(), "Provider"),
        (Kind::Earnings, Some(issued)) => (format!("STATEMENT OF EARNINGS {}", issued.number), "Provider"),
    };
    let period = format!("{} ({}, UTC)", statement.period, days(statement.period));
    let mut facts = party(role, &statement.party, statement.profile.as_ref());
    facts.push(("Period", period));
    if let Some(issued) = &statement.issued {
        facts.push(("Issued", day(issued.issued_at)));
        facts.extend(issued.due_at.map(|due| ("Due", day(due))));
    }
    facts.push(("Currency", statement.currency.clone()));
    facts.push(("Ledger version", statement.ledger_version.to_string()));
    head(&title, facts, letterhead, text);
}

/// Who the document is for, as far as it is known.
pub(super) fn party(role: &'static str, party: &str, profile: Option<&Profile>) -> Vec<(&'static str, String)> {
    let mut facts = vec![(role, printable(party))];
    if let Some(profile) = profile {
        facts.extend(profile.get(Item::Name).map(|name| ("Name", printable(name))));
        let labels = std::iter::once("Address").chain(std::iter::repeat(""));
        facts.extend(labels.zip(profile.address_lines().map(printable)));
        facts.extend(profile.get(Item::TaxId).map(|id| ("Tax id", printable(id))));
    }
    facts
}

/// Title, sender and facts.
pub(super) fn head(title: &str, facts: Vec<(&'static str, String)>, letterhead: &Letterhead, text: &mut String) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{title}\n");
    if let Some(issuer) = &letterhead.issuer {
        for (index, detail) in std::iter::once(&issuer.name).chain(&issuer.details()).enumerate() {
            let name = if index == 0 { "From" } else { "" };
            let _ = writeln!(text, "  {name:<16}{}", printable(detail));
        }
    }
    for (name, value) in facts {
        let _ = writeln!(text, "  {name:<16}{value}");
    }
    text.push('\n');
}

fn lines(statement: &Statement, text: &mut String) {
    let places = minor_units(&statement.currency);
    let shown = |amount: Amount| grouped(&amount.with_places(places));
    let true_up = statement.true_up.as_ref();
    // The line of a commitment has no figures but its amount.
    let of = |cell: fn(&Line) -> String| {
        statement.lines.iter().map(cell).chain(true_up.map(|_| String::new())).collect::<Vec<String>>()
    };
    let mut sums = before_total(statement);
    sums.push(("Total".to_owned(), statement.total));
    sums.extend(after_total(statement));
    sums.extend(to_be_paid(statement).map(|(label, amount)| (label.to_owned(), amount)));
    let mut amounts: Vec<String> = statement.amounts().map(shown).collect();
    let count = amounts.len();
    amounts.extend(sums.iter().map(|(_, amount)| shown(*amount)));
    amounts.push("Amount".to_owned());
    let amounts = at_the_point(&amounts);
    let (heading, amounts) =
        amounts.split_last().map_or(("", amounts.as_slice()), |(last, rest)| (last.as_str(), rest));

    let mut meters = of(|line| line.meter.name().to_owned());
    let mut whats = of(|line| printable(&what(line)));
    if let (Some(meter), Some(what), Some(true_up)) = (meters.last_mut(), whats.last_mut(), true_up) {
        "commitment".clone_into(meter);
        *what = lacking(statement, true_up);
    }
    let mut columns = vec![
        column("Meter", meters, false),
        column("Dimensions", whats, false),
        column("Quantity", of(|line| own(line, grouped(&line.quantity.to_string()))), true),
        column("Unit price", of(|line| own(line, grouped(&line.unit_price.with_places(2)))), true),
        column("", of(|line| own(line, per(line))), false),
    ];
    let since = since(statement, short_moment);
    if since.iter().any(Option::is_some) {
        let since = since.into_iter().map(Option::unwrap_or_default).chain(true_up.map(|_| String::new()));
        columns.push(column("Price from", since.collect(), false));
    }
    if statement.kind == Kind::Earnings {
        columns.push(column("Share", of(|line| percent(line.share)), true));
    }
    let row = |index: usize, amount: &str| {
        let cells: Vec<&str> = columns.iter().map(|cells| cells[index].as_str()).collect();
        format!("  {}  {amount}", cells.join("  ")).trim_end().to_owned()
    };
    let first = row(0, heading);
    let width = first.chars().count().max(RULE_CHARS_MIN) - 2;
    let rule = format!("  {}", "─".repeat(width));
    let mut all = Vec::new();
    if count > 0 {
        all.extend([first, rule.clone()]);
        all.extend(amounts.iter().take(count).enumerate().map(|(index, amount)| row(index + 1, amount)));
        all.push(rule);
    }
    for ((name, _), amount) in sums.iter().zip(&amounts[count..]) {
        let name = format!("{} {}", printable(name), statement.currency);
        let before = (width + 2).saturating_sub(amount.chars().count() + 2);
        all.push(format!("{name:>before$}  {amount}").trim_end().to_owned());
    }
    text.push_str(&all.join("\n"));
    text.push_str("\n\n");
}

/// A figure that an adjustment does not have.
fn own(line: &Line, figure: String) -> String {
    if line.adjustment.is_some() { String::new() } else { figure }
}

fn unrated(statement: &Statement, text: &mut String) {
    if statement.unrated.is_empty() {
        return;
    }
    text.push_str("  NOT INCLUDED: usage that has no price yet. Apply a price for it, or waive it.\n");
    let mut quantities: Vec<String> = statement.unrated.iter().map(|u| grouped(&u.quantity.to_string())).collect();
    quantities = at_the_point(&quantities);
    let name =
        |u: &crate::documents::statement::Unrated| format!("{} {}", u.meter, printable(&dimensions(&u.dimensions)));
    let width = statement.unrated.iter().map(|u| name(u).chars().count()).max().unwrap_or(0);
    for (unrated, quantity) in statement.unrated.iter().zip(quantities) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    {:<width$}  {quantity} {}", name(unrated), units(unrated.meter, unrated.quantity));
    }
    text.push('\n');
}

/// How an invoice is paid, and what else is to be said.
fn payment(letterhead: &Letterhead, text: &mut String) {
    let payment = letterhead.issuer.iter().flat_map(|issuer| &issuer.payment);
    let lines: Vec<String> = letterhead.terms().into_iter().chain(payment.cloned()).collect();
    for paragraph in [lines, letterhead.notes.clone()] {
        for line in &paragraph {
            text.push_str("  ");
            text.push_str(&printable(line));
            text.push('\n');
        }
        if !paragraph.is_empty() {
            text.push('\n');
        }
    }
}

/// A heading and cells of one width.
fn column(heading: &str, cells: Vec<String>, is_number: bool) -> Vec<String> {
    let mut all = cells;
    all.push(heading.to_owned());
    if is_number {
        all = at_the_point(&all);
    } else {
        let width = all.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
        all = all.into_iter().map(|cell| format!("{cell:<width$}")).collect();
    }
    all.rotate_right(1);
    all
}

/// Pads numbers so that their decimal points stand below each other. What is
/// not a number is put to the right.
pub(super) fn at_the_point(cells: &[String]) -> Vec<String> {
    let is_number = |cell: &str| cell.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    let fraction = |cell: &str| cell.find('.').map_or(0, |point| cell.len() - point);
    let places = cells.iter().filter(|cell| is_number(cell)).map(|cell| fraction(cell)).max().unwrap_or(0);
    let padded: Vec<String> = cells
        .iter()
        .map(|cell| {
            let after = if is_number(cell) { places - fraction(cell) } else { 0 };
            format!("{cell}{:after$}", "")
        })
        .collect();
    let width = padded.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
    padded.into_iter().map(|cell| format!("{cell:>width$}")).collect()
}

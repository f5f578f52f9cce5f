//! A credit note for a terminal.
//!
//! Invariant: all amounts stand below each other at their decimal points.

use std::fmt::Write as _;

use stempoint_schemas::money::Amount;

use super::{USES, corrected, part, used_for};
use crate::documents::credit_note::CreditNote;
use crate::documents::currency::minor_units;
use crate::documents::figures::{day, grouped};
use crate::documents::letterhead::Letterhead;
use crate::documents::render::text::{RULE_CHARS_MIN, at_the_point, head, party};
use crate::output::printable;

pub(in crate::documents::render) fn render(note: &CreditNote, letterhead: &Letterhead) -> String {
    let mut text = String::new();
    let mut facts = party("Customer", &note.customer, note.profile.as_ref());
    facts.extend(corrected(note).map(|corrected| ("Corrects", printable(&corrected))));
    facts.push(("Reason", printable(&note.reason)));
    facts.push(("Issued", day(note.issued_at)));
    facts.push(("Currency", note.currency.clone()));
    facts.push(("Ledger version", note.ledger_version.to_string()));
    head(&format!("CREDIT NOTE {}", printable(&note.number)), facts, letterhead, &mut text);
    text.push_str(&amounts(note));
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "  To check an amount: `stempoint credit-note … --format json` gives its SQL, and\n  \
         `stempoint sql \"…\" --version {}` gives the same figure, now and later.",
        note.ledger_version
    );
    text
}

fn amounts(note: &CreditNote) -> String {
    let places = minor_units(&note.currency);
    let shown = |amount: Amount| grouped(&amount.with_places(places));
    let mut rows: Vec<(String, Amount)> = Vec::new();
    rows.extend(note.lines.iter().map(|line| (printable(&part(note, line).0), line.amount)));
    rows.push((format!("Total {}", note.currency), note.total));
    rows.extend(note.uses.iter().map(|part| (printable(&used_for(part)), part.amount)));
    let figures = at_the_point(&rows.iter().map(|(_, amount)| shown(*amount)).collect::<Vec<_>>());
    let figure_width = figures.iter().map(|figure| figure.chars().count()).max().unwrap_or(0);
    let width = RULE_CHARS_MIN.saturating_sub(4 + figure_width);
    let rule = format!("  {}\n", "─".repeat(width + 2 + figure_width));
    let mut text = rule.clone();
    for (index, ((label, _), figure)) in rows.iter().zip(&figures).enumerate() {
        let label = shortened(label, width);
        let line = match index.cmp(&note.lines.len()) {
            std::cmp::Ordering::Equal => format!("{rule}  {label:>width$}  {figure}"),
            _ => format!("  {label:<width$}  {figure}"),
        };
        text.push_str(line.trim_end());
        text.push('\n');
        if index == note.lines.len() {
            text.push_str(&format!("\n  {USES}\n{rule}"));
        }
    }
    text.push('\n');
    text
}

/// A label that fits beside the figures: a long reason stands whole above them.
fn shortened(label: &str, width: usize) -> String {
    if label.chars().count() <= width {
        return label.to_owned();
    }
    label.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

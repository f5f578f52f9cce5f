//! A statement as a page, for the screen and for A4 paper, and what other
//! documents share with it.
//!
//! Invariants: the page needs nothing from elsewhere; every text from outside
//! is escaped, and a policy in the page keeps browsers from running scripts
//! or loading anything even so.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::Amount;
use stempoint_schemas::profile::{Item, Profile};

use super::words::{Words, after_total, before_total, rounding, to_be_paid, words};
use crate::documents::currency::minor_units;
use crate::documents::figures::{
    adjustment, day, days, grouped, lacking, meter_label, moment, per, percent, since, units,
};
use crate::documents::letterhead::Letterhead;
use crate::documents::statement::{Kind, Line, Statement};

const STYLE: &str = include_str!("style.css");

/// A space as wide as a digit.
const FIGURE_SPACE: char = '\u{2007}';
/// A space as wide as a point.
const PUNCTUATION_SPACE: char = '\u{2008}';

pub(crate) fn render(statement: &Statement, letterhead: &Letterhead) -> String {
    let words = words(statement);
    let title = format!("{} {} {}", words.title, statement.party, statement.period);
    let queries = statement.queries().collect::<Vec<_>>();
    let gives = "the quantity and the amount of that line";
    page(
        &title,
        html! {
            (header(statement, letterhead, &words))
            (lines(statement))
            (sums(statement, &words))
            (unrated(statement))
            @if statement.kind == Kind::Invoice { (payment(letterhead)) }
            (appendix(words.appendix, statement.ledger_version, gives, &queries))
        },
    )
}

/// A page with this content.
pub(super) fn page(title: &str, content: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(page_footer(title))) }
            }
            body { main { (content) } }
        }
    };
    let mut text = page.into_string();
    text.push('\n');
    text
}

fn header(statement: &Statement, letterhead: &Letterhead, words: &Words) -> Markup {
    let places = minor_units(&statement.currency);
    html! {
        header {
            (top(letterhead, words.title, statement.issued.is_none()))
            div.facts {
                dl {
                    div.wide { dt { (words.party) } (party(&statement.party, statement.profile.as_ref())) }
                    div { dt { "Period" } dd { (days(statement.period)) small { "UTC" } } }
                    @match &statement.issued {
                        None => { div { dt { "Number" } dd { "Not finalised" } } }
                        Some(issued) => {
                            div { dt { "Number" } dd { (issued.number) } }
                            div { dt { "Issued" } dd { (day(issued.issued_at)) } }
                            @if let Some(due) = issued.due_at { div { dt { "Due" } dd { (day(due)) } } }
                        }
                    }
                    div { dt { "Currency" } dd { (statement.currency) } }
                    div { dt { "Ledger version" } dd { (statement.ledger_version) } }
                }
                @let (label, amount) = to_be_paid(statement).unwrap_or((words.total, statement.total));
                (due(label, &grouped(&amount.with_places(places)), &statement.currency))
            }
        }
    }
}

/// Who sends it, and what it is.
pub(super) fn top(letterhead: &Letterhead, title: &str, is_draft: bool) -> Markup {
    html! {
        div.top {
            p.brand { span.mark aria-hidden="true" {} (letterhead.name()) }
            div.title {
                h1 { (title) }
                @if is_draft { p.badge { "Draft" } }
            }
        }
        @if let Some(issuer) = &letterhead.issuer {
            address { @for detail in issuer.details() { (detail) br; } }
        }
    }
}

/// The box with the sum.
pub(super) fn due(label: &str, amount: &str, currency: &str) -> Markup {
    html! {
        div.due {
            p { (label) }
            p.amount { (amount) " " small { (currency) } }
        }
    }
}

/// The party: by name and address where they are known, and as the books
/// know it.
pub(super) fn party(party: &str, known: Option<&Profile>) -> Markup {
    let name = known.and_then(|profile| profile.get(Item::Name));
    html! {
        dd.party { (name.unwrap_or(party)) }
        @if let Some(profile) = known {
            @for line in profile.address_lines() { dd.detail { (line) } }
            @if let Some(id) = profile.get(Item::TaxId) { dd.detail { small { "Tax id" } (id) } }
            @if name.is_some() { dd.detail { small { "Account" } (party) } }
        }
    }
}

fn lines(statement: &Statement) -> Markup {
    let has_share = statement.kind == Kind::Earnings;
    let quantities = Figures::new(statement.lines.iter().map(|line| line.quantity.to_string()), 0);
    let places = minor_units(&statement.currency);
    let amounts = Figures::new(statement.amounts().map(|amount| amount.with_places(places)), places);
    let since = since(statement, moment);
    let numbered: Vec<(usize, &Line)> = statement.lines.iter().enumerate().collect();
    html! {
        @if statement.amounts().next().is_none() {
            p.nothing { "Nothing is charged in this period." }
        } @else {
            table.lines {
                thead {
                    tr {
                        th.number { "#" }
                        th { "Description" }
                        th.figure { "Quantity" }
                        th.figure { "Unit price" }
                        @if has_share { th.figure { "Share" } }
                        th.figure { "Amount (" (statement.currency) ")" }
                    }
                }
                @for group in numbered.chunk_by(|(_, one), (_, other)| one.meter == other.meter) {
                    tbody {
                        @for (index, (number, line)) in group.iter().enumerate() {
                            @if index == 0 { (meter_row(line.meter, has_share)) }
                            tr {
                                td.number { (number + 1) }
                                @if let Some(model) = &line.adjustment {
                                    td colspan="2" { (adjustment(model)) }
                                } @else {
                                    td { (dimensions(&line.dimensions)) }
                                    td.figure { (quantities.show(&line.quantity.to_string())) }
                                }
                                td.figure.price {
                                    @if line.adjustment.is_none() {
                                        (grouped(&line.unit_price.with_places(2))) " " small { (per(line)) }
                                    }
                                    @if let Some(from) = &since[*number] { small.since { "from " (from) } }
                                }
                                @if has_share { td.figure { (percent(line.share)) } }
                                td.figure { (amounts.show(&line.amount.with_places(places))) }
                            }
                        }
                    }
                }
                @if let Some(true_up) = &statement.true_up {
                    tbody {
                        tr.meter { th colspan="5" scope="rowgroup" { "Commitment" } }
                        tr {
                            td.number { (statement.lines.len() + 1) }
                            td colspan="3" { (lacking(statement, true_up)) }
                            td.figure { (amounts.show(&true_up.amount.with_places(places))) }
                        }
                    }
                }
            }
        }
    }
}

fn meter_row(meter: Meter, has_share: bool) -> Markup {
    html! {
        tr.meter {
            th colspan=(if has_share { 6 } else { 5 }) scope="rowgroup" { (meter_label(meter)) " " code { (meter) } }
        }
    }
}

fn dimensions(dimensions: &[(Dimension, String)]) -> Markup {
    html! {
        @if dimensions.is_empty() { span.all { "All usage" } }
        @for (dimension, value) in dimensions {
            span.dimension { small { (dimension.name()) } " " (value) }
            " "
        }
    }
}

fn sums(statement: &Statement, words: &Words) -> Markup {
    let places = minor_units(&statement.currency);
    let shown = |(name, amount): (String, Amount)| (name, amount.with_places(places));
    let before: Vec<(String, String)> = before_total(statement).into_iter().map(shown).collect();
    let after: Vec<(String, String)> = after_total(statement).into_iter().map(shown).collect();
    let total = statement.total.with_places(places);
    let due = to_be_paid(statement).map(|(label, amount)| (label, amount.with_places(places)));
    let parts = before.iter().chain(&after).map(|(_, amount)| amount.clone());
    let totals = [total.clone()].into_iter().chain(due.clone().map(|(_, amount)| amount));
    let figures = Figures::new(parts.chain(totals), places);
    html! {
        section.sums {
            table {
                @for (name, amount) in &before { tr { th { (name) } td.figure { (figures.show(amount)) } } }
                tr.total { th { (words.total) " (" (statement.currency) ")" } td.figure { (figures.show(&total)) } }
                @for (name, amount) in &after { tr { th { (name) } td.figure { (figures.show(amount)) } } }
                @if let Some((label, amount)) = &due {
                    tr.total { th { (label) " (" (statement.currency) ")" } td.figure { (figures.show(amount)) } }
                }
            }
            @if let Some(rounding) = rounding(statement) { p.rounding { (rounding) } }
        }
    }
}

fn unrated(statement: &Statement) -> Markup {
    html! {
        @if !statement.unrated.is_empty() {
            section.unrated {
                h2 { "Not included" }
                p {
                    "This usage of the period has no price yet. "
                    @match statement.kind {
                        Kind::Invoice => { "It is billed once a price for it is in force." }
                        Kind::Earnings => { "It is earned once a price for it is in force." }
                    }
                }
                table {
                    @for unrated in &statement.unrated {
                        tr {
                            td { (meter_label(unrated.meter)) }
                            td { (dimensions(&unrated.dimensions)) }
                            td.figure { (grouped(&unrated.quantity.to_string())) " " small { (units(unrated.meter, unrated.quantity)) } }
                        }
                    }
                }
            }
        }
    }
}

fn payment(letterhead: &Letterhead) -> Markup {
    let payment = letterhead.issuer.as_ref().map_or(&[][..], |issuer| issuer.payment.as_slice());
    html! {
        @if letterhead.terms().is_some() || !payment.is_empty() {
            section.payment {
                h2 { "Payment" }
                p { @for line in letterhead.terms().iter().chain(payment) { (line) br; } }
            }
        }
        @for note in &letterhead.notes { p.note { (note) } }
    }
}

/// The queries of all lines, and what they give.
pub(super) fn appendix(title: &str, version: i64, gives: &str, queries: &[&str]) -> Markup {
    html! {
        footer {
            h2 { (title) }
            p {
                "This document shows ledger version " strong { (version) }
                ", which never changes. Run any of the queries below on it with "
                code { "stempoint sql \"…\" --version " (version) }
                " or with any reader of the open tables: it gives " (gives) ", now and in years."
            }
            @if !queries.is_empty() {
                input type="checkbox" id="queries";
                label for="queries" { "Show the query of each line" }
                ol.queries {
                    @for sql in queries { li { code { (sql) } } }
                }
            }
        }
    }
}

/// Numbers of one column: their points stand below each other, and what is
/// finer than the currency's smallest unit is set in a lighter colour.
pub(super) struct Figures {
    places: usize,
    fraction: usize,
}

impl Figures {
    pub(super) fn new(numbers: impl Iterator<Item = String>, places: u32) -> Figures {
        let fraction = numbers.map(|number| fraction_of(&number).len()).max().unwrap_or(0);
        Figures { places: places as usize, fraction }
    }

    pub(super) fn show(&self, number: &str) -> Markup {
        let whole = grouped(number.split_once('.').map_or(number, |(whole, _)| whole));
        let fraction = fraction_of(number);
        let (main, fine) = fraction.split_at(self.places.min(fraction.len()));
        let point = |shown: bool| if shown { "." } else { "" };
        let missing = self.fraction.saturating_sub(fraction.len());
        let mut gap: String = std::iter::repeat_n(FIGURE_SPACE, missing).collect();
        if fraction.is_empty() && self.fraction > 0 {
            gap.insert(0, PUNCTUATION_SPACE);
        }
        html! {
            (whole) (point(!main.is_empty())) (main)
            @if !fine.is_empty() { span.fine { (point(main.is_empty())) (fine) } }
            @if !gap.is_empty() { span.gap aria-hidden="true" { (gap) } }
        }
    }
}

fn fraction_of(number: &str) -> &str {
    number.split_once('.').map_or("", |(_, fraction)| fraction)
}

/// The line at the foot of each printed page.
fn page_footer(title: &str) -> String {
    format!("@page {{ @bottom-left {{ content: \"{}\"; }} }}\n", css_text(title))
}

/// A text inside quotes in a style sheet: whatever is not a plain character
/// becomes a code point.
fn css_text(text: &str) -> String {
    let mut css = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == ' ' {
            css.push(c);
        } else {
            css.push_str(&format!("\\{:06x}", u32::from(c)));
        }
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_the_style_sheet() {
        let css = css_text("a\"; } body { x: url(//evil) </style><script>");
        assert!(!css.contains(['"', ';', '{', '}', '<', '>', '(', ':']), "{css}");
        assert!(css.starts_with("a\\000022"));
    }

    #[test]
    fn figures_of_a_column_are_equally_wide() {
        let figures = Figures::new(["1.5", "12", "1234.123"].map(str::to_owned).into_iter(), 2);
        assert_eq!(figures.show("1234.123").into_string(), "1,234.12<span class=\"fine\">3</span>");
        assert_eq!(
            figures.show("12").into_string(),
            "12<span class=\"gap\" aria-hidden=\"true\">\u{2008}\u{2007}\u{2007}\u{2007}</span>"
        );
    }
}

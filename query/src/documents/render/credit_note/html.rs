//! A credit note as a page, made as that of an invoice is.

use maud::{Markup, html};

use super::{APPENDIX, GIVES, PARTY, TITLE, TOTAL, USES, corrected, part, queries, used_for};
use crate::documents::credit_note::CreditNote;
use crate::documents::currency::minor_units;
use crate::documents::figures::{day, grouped};
use crate::documents::letterhead::Letterhead;
use crate::documents::render::html::{Figures, appendix, due, page, party, top};

pub(in crate::documents::render) fn render(note: &CreditNote, letterhead: &Letterhead) -> String {
    let title = format!("{TITLE} {} {}", note.number, note.customer);
    page(
        &title,
        html! {
            (header(note, letterhead))
            (lines(note))
            (uses(note))
            (appendix(APPENDIX, note.ledger_version, GIVES, &queries(note)))
        },
    )
}

fn header(note: &CreditNote, letterhead: &Letterhead) -> Markup {
    let total = grouped(&note.total.with_places(minor_units(&note.currency)));
    html! {
        header {
            (top(letterhead, TITLE, false))
            div.facts {
                dl {
                    div.wide { dt { (PARTY) } (party(&note.customer, note.profile.as_ref())) }
                    div { dt { "Number" } dd { (note.number) } }
                    div { dt { "Issued" } dd { (day(note.issued_at)) } }
                    @if let Some(corrected) = corrected(note) { div { dt { "Corrects invoice" } dd { (corrected) } } }
                    div { dt { "Currency" } dd { (note.currency) } }
                    div { dt { "Ledger version" } dd { (note.ledger_version) } }
                }
                (due(TOTAL, &total, &note.currency))
            }
        }
    }
}

fn lines(note: &CreditNote) -> Markup {
    let places = minor_units(&note.currency);
    let amounts = Figures::new(note.lines.iter().map(|line| line.amount.with_places(places)), places);
    let total = note.total.with_places(places);
    html! {
        table.lines {
            thead { (headings("Description", &note.currency)) }
            tbody {
                @for (index, line) in note.lines.iter().enumerate() {
                    @let (what, why) = part(note, line);
                    tr {
                        td.number { (index + 1) }
                        td.price { (what) small.since { (why) } }
                        td.figure { (amounts.show(&line.amount.with_places(places))) }
                    }
                }
            }
        }
        section.sums {
            table {
                tr.total { th { (TOTAL) " (" (note.currency) ")" } td.figure { (grouped(&total)) } }
            }
        }
    }
}

fn uses(note: &CreditNote) -> Markup {
    let places = minor_units(&note.currency);
    let amounts = Figures::new(note.uses.iter().map(|part| part.amount.with_places(places)), places);
    html! {
        section.payment {
            table.lines {
                thead { (headings(USES, &note.currency)) }
                tbody {
                    @for (index, part) in note.uses.iter().enumerate() {
                        tr {
                            td.number { (note.lines.len() + index + 1) }
                            td { (used_for(part)) }
                            td.figure { (amounts.show(&part.amount.with_places(places))) }
                        }
                    }
                }
            }
        }
    }
}

fn headings(what: &str, currency: &str) -> Markup {
    html! {
        tr {
            th.number { "#" }
            th { (what) }
            th.figure { "Amount (" (currency) ")" }
        }
    }
}

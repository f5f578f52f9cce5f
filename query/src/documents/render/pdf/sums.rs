//! Below the lines: the sums, how to pay, and notes.
//!
//! Invariant: the sums are one block, which no page break divides.

use super::face::Face;
use super::flow::Section;
use super::page::{Block, WIDTH};
use super::text::{FAINT, INK, SOFT, Span, Style, wrap, wrap_at_most};
use crate::documents::letterhead::Letterhead;

const LABEL: Style = Style::new(Face::Regular, 8.4, SOFT);
const FIGURE: Style = Style::new(Face::Regular, 8.4, INK);
const TOTAL: Style = Style::new(Face::Bold, 11.5, INK);
const NOTE: Style = Style::new(Face::Regular, 7.2, FAINT);
const HEADING: Style = Style::new(Face::Bold, 8.6, INK);
const TEXT: Style = Style::new(Face::Regular, 8.2, SOFT);

/// The least width of the sums.
const SUMS: f32 = 216.0;

/// A sum: what it is, and the number as it is printed.
pub(super) struct Sum {
    pub label: String,
    pub number: String,
    /// The one that is paid.
    pub is_total: bool,
}

/// The sums, one below the other, their points too. What is finer than so many
/// places is set in a lighter colour.
pub(super) fn sums(sums: &[Sum], places: usize, note: Option<&str>) -> Block {
    let style = |sum: &Sum| if sum.is_total { TOTAL } else { FIGURE };
    let fraction = |sum: &Sum| style(sum).width(sum.number.find('.').map_or("", |point| &sum.number[point..]));
    let fractions = sums.iter().filter(|sum| !sum.is_total).map(fraction).fold(0.0, f32::max);
    let widest = sums.iter().map(|sum| style(sum).width(&sum.label) + style(sum).width(&sum.number) + 40.0);
    let width = widest.fold(SUMS, f32::max).min(WIDTH);
    let mut block = Block::new(9.0);
    for sum in sums {
        let style = style(sum);
        if sum.is_total {
            block.height += 3.0;
            block.fill(WIDTH - width, block.height, (width, 1.2), INK);
            block.height += 5.0;
        }
        let y = block.height + style.size + 2.0;
        let label = if sum.is_total { TOTAL } else { LABEL };
        block.text(WIDTH - width, y, &[Span::new(&sum.label, label)]);
        // The total is set larger: its point cannot stand below the others
        // without leaving the edge, so it ends there.
        let right = if sum.is_total { WIDTH } else { WIDTH - fractions + fraction(sum) };
        let (main, fine) = split(&sum.number, places);
        let fine = Span::new(fine, Style { colour: FAINT, ..style });
        block.text_to(right, y, &[Span::new(main, style), fine]);
        block.height += style.leading() + 2.0;
    }
    if let Some(note) = note {
        block.height += 3.0;
        block.text_to(WIDTH, block.height + NOTE.size, &[Span::new(note, NOTE)]);
        block.height += NOTE.leading();
    }
    block
}

/// The number to so many places, and the rest.
fn split(number: &str, places: usize) -> (&str, &str) {
    let end = number.find('.').map_or(number.len(), |point| point + if places == 0 { 0 } else { places + 1 });
    number.split_at(end.min(number.len()))
}

/// How an invoice is paid, and what else is to be said.
pub(super) fn payment(letterhead: &Letterhead) -> Section {
    let payment = letterhead.issuer.as_ref().map_or(&[][..], |issuer| issuer.payment.as_slice());
    let mut blocks = Vec::new();
    if letterhead.terms().is_some() || !payment.is_empty() {
        let mut block = Block::new(24.0);
        block.paragraph(0.0, &[vec![Span::new("Payment", HEADING)]]);
        for text in letterhead.terms().iter().chain(payment.iter().take(12)) {
            block.paragraph(0.0, &wrap_at_most(&[Span::new(text, TEXT)], WIDTH, 3));
        }
        blocks.push(block);
    }
    for note in &letterhead.notes {
        for (index, line) in wrap(&[Span::new(note, TEXT)], WIDTH * 0.86).into_iter().enumerate() {
            let mut block = Block::new(if index == 0 { 10.0 } else { 0.0 });
            block.paragraph(0.0, &[line]);
            blocks.push(block);
        }
    }
    Section { heading: None, blocks }
}

//! The top of the first page: who sends what to whom, and the sum.
//!
//! Invariant: it takes less than a page, however long the names are.

use super::face::Face;
use super::page::{Block, Mark, WIDTH};
use super::text::{ACCENT, AMBER, AMBER_RULE, AMBER_WASH, INK, Line, SOFT, Span, Style, WASH, wrap_at_most};
use crate::documents::letterhead::Letterhead;

const NAME: Style = Style::new(Face::Bold, 12.5, INK);
const DETAIL: Style = Style::new(Face::Regular, 8.0, SOFT);
const TITLE: Style = Style::new(Face::Bold, 21.0, INK);
const BADGE: Style = Style::new(Face::Bold, 7.0, AMBER);
const LABEL: Style = Style::new(Face::Regular, 7.5, SOFT);
const PARTY: Style = Style::new(Face::Bold, 12.0, INK);
const VALUE: Style = Style::new(Face::Regular, 9.2, INK);
const AMOUNT: Style = Style::new(Face::Bold, 21.0, INK);

/// How wide the left half is.
const HALF: f32 = 272.0;
/// The box with the sum, within which the amount is made to fit.
const BOX: f32 = 196.0;
const BOX_PADDING: f32 = 14.0;
/// The most lines of the sender's details.
const DETAILS_MAX: usize = 14;

/// What the top says.
pub(super) struct Front<'a> {
    pub letterhead: &'a Letterhead,
    pub title: &'a str,
    /// A mark below the title.
    pub badge: Option<&'a str>,
    /// To whom, with the word for it.
    pub party: (&'a str, &'a str),
    /// Names and values.
    pub facts: Vec<(&'static str, String)>,
    /// The sum: what it is, the amount, the currency.
    pub total: (&'a str, String, &'a str),
}

impl Front<'_> {
    pub(super) fn blocks(&self) -> Vec<Block> {
        vec![self.sender().kept(), self.facts()]
    }

    fn sender(&self) -> Block {
        let mut block = Block::new(0.0);
        block.marks.push(Mark::Ring { x: 7.5, y: 9.0, radius: 5.6, stroke: 3.6, colour: ACCENT });
        block.height = 0.5;
        block.paragraph(21.0, &wrap_at_most(&[Span::new(self.letterhead.name(), NAME)], HALF, 3));
        if let Some(issuer) = &self.letterhead.issuer {
            block.height += 2.0;
            let details = issuer.details();
            let lines = details.iter().flat_map(|detail| wrap_at_most(&[Span::new(detail, DETAIL)], HALF, 2));
            block.paragraph(21.0, &lines.take(DETAILS_MAX).collect::<Vec<Line>>());
        }
        block.text_to(WIDTH, 17.0, &[Span::new(self.title, TITLE)]);
        let mut right = 24.0;
        if let Some(badge) = self.badge {
            let text = Span::new(&badge.to_uppercase(), BADGE);
            let width = text.width() + 14.0;
            block.fill(WIDTH - width, 28.0, (width, 14.0), AMBER_WASH);
            let (x, y, height, colour) = (WIDTH - width, 28.0, 14.0, AMBER_RULE);
            block.marks.push(Mark::Outline { x, y, width, height, colour });
            block.text(WIDTH - width + 7.0, 37.6, &[text]);
            right = 42.0;
        }
        block.height = block.height.max(right);
        block
    }

    fn facts(&self) -> Block {
        let mut block = Block::new(30.0);
        let (label, party) = self.party;
        block.paragraph(0.0, &[vec![Span::new(label, LABEL)]]);
        block.paragraph(0.0, &wrap_at_most(&[Span::new(party, PARTY)], HALF, 5));
        for pair in self.facts.chunks(2) {
            let top = block.height + 9.0;
            let mut foot = top;
            for (index, (label, value)) in pair.iter().enumerate() {
                block.height = top;
                let x = index as f32 * HALF * 0.56;
                block.paragraph(x, &[vec![Span::new(label, LABEL)]]);
                let lines = wrap_at_most(&[Span::new(value, VALUE)], HALF * (0.54 - 0.1 * index as f32), 3);
                foot = foot.max(block.paragraph(x, &lines));
            }
            block.height = foot;
        }
        self.total(&mut block);
        block.height += 10.0;
        block
    }

    fn total(&self, block: &mut Block) {
        let (label, amount, currency) = &self.total;
        let left = WIDTH - BOX;
        let size = |size: f32| {
            let style = Style { size, ..AMOUNT };
            let unit = Style::new(Face::Regular, (size * 0.55).max(5.0), INK);
            vec![Span::new(amount, style), Span::new(" ", unit), Span::new(currency, unit)]
        };
        let room = BOX - 2.0 * BOX_PADDING;
        let natural = super::text::width_of(&size(AMOUNT.size));
        let line = size(AMOUNT.size * (room / natural).min(1.0));
        block.fill(left, 0.0, (BOX, 62.0), WASH);
        block.fill(left, 0.0, (2.5, 62.0), ACCENT);
        block.text_to(WIDTH - BOX_PADDING, 19.0, &[Span::new(label, LABEL)]);
        block.text_to(WIDTH - BOX_PADDING, 46.0, &line);
        block.height = block.height.max(62.0);
    }
}

//! A page: its size, and what is drawn on it.
//!
//! Lengths are points, from the upper left corner downwards. Within a block
//! they count from the block's own upper left corner.

use super::text::{Colour, Line, Span};

/// A4.
pub(super) const PAGE_WIDTH: f32 = 595.28;
pub(super) const PAGE_HEIGHT: f32 = 841.89;
/// The free border on the left and on the right.
pub(super) const SIDE: f32 = 48.0;
/// Where the first page's content begins, and where that of the others does.
pub(super) const TOP: f32 = 52.0;
pub(super) const TOP_LATER: f32 = 72.0;
/// Where content ends.
pub(super) const BOTTOM: f32 = PAGE_HEIGHT - 62.0;
/// How wide the content is.
pub(super) const WIDTH: f32 = PAGE_WIDTH - 2.0 * SIDE;

/// Something that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    /// A text whose baseline begins here.
    Text { x: f32, y: f32, span: Span },
    /// A filled rectangle; rules are thin ones.
    Fill { x: f32, y: f32, width: f32, height: f32, colour: Colour },
    /// The outline of a rectangle.
    Outline { x: f32, y: f32, width: f32, height: f32, colour: Colour },
    /// A circle's line.
    Ring { x: f32, y: f32, radius: f32, stroke: f32, colour: Colour },
}

impl Mark {
    /// The same, further right and down.
    pub(super) fn moved(self, right: f32, down: f32) -> Mark {
        match self {
            Mark::Text { x, y, span } => Mark::Text { x: x + right, y: y + down, span },
            Mark::Fill { x, y, width, height, colour } => {
                Mark::Fill { x: x + right, y: y + down, width, height, colour }
            }
            Mark::Outline { x, y, width, height, colour } => {
                Mark::Outline { x: x + right, y: y + down, width, height, colour }
            }
            Mark::Ring { x, y, radius, stroke, colour } => {
                Mark::Ring { x: x + right, y: y + down, radius, stroke, colour }
            }
        }
    }
}

/// A page as it is drawn.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Page {
    pub marks: Vec<Mark>,
}

/// Something that is never cut: a row, a heading, a line of a query.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Block {
    pub height: f32,
    /// The space above, where it does not begin a page.
    pub gap: f32,
    /// Whether it must stand on the page of the block that follows.
    pub keep: bool,
    pub marks: Vec<Mark>,
}

impl Block {
    pub(super) fn new(gap: f32) -> Block {
        Block { gap, ..Block::default() }
    }

    /// It stays with the block that follows.
    pub(super) fn kept(mut self) -> Block {
        self.keep = true;
        self
    }

    /// Adds a line whose baseline is here; gives where it ends.
    pub(super) fn text(&mut self, x: f32, y: f32, line: &[Span]) -> f32 {
        let mut x = x;
        for span in line {
            let width = span.width();
            self.marks.push(Mark::Text { x, y, span: span.clone() });
            x += width;
        }
        x
    }

    /// Adds a line that ends at `right`.
    pub(super) fn text_to(&mut self, right: f32, y: f32, line: &[Span]) {
        self.text(right - super::text::width_of(line), y, line);
    }

    /// Adds lines one below the other, below what is there; gives its foot.
    pub(super) fn paragraph(&mut self, x: f32, lines: &[Line]) -> f32 {
        for line in lines {
            let Some(style) = line.first().map(|span| span.style) else { continue };
            self.text(x, self.height + style.size, line);
            self.height += style.leading();
        }
        self.height
    }

    pub(super) fn fill(&mut self, x: f32, y: f32, (width, height): (f32, f32), colour: Colour) {
        self.marks.push(Mark::Fill { x, y, width, height, colour });
    }

    /// A thin line over the whole width.
    pub(super) fn rule(&mut self, y: f32, thickness: f32, colour: Colour) {
        self.fill(0.0, y, (WIDTH, thickness), colour);
    }
}

//! Text that is measured and broken into lines.
//!
//! Invariants: nothing that is printed is invisible or changes the order of
//! what is around it; a line is never wider than it may be, unless a single
//! character is.

use super::face::Face;

/// A colour of the page: red, green, blue.
pub(super) type Colour = [u8; 3];

pub(super) const INK: Colour = [0x16, 0x20, 0x2c];
pub(super) const SOFT: Colour = [0x5b, 0x67, 0x76];
pub(super) const FAINT: Colour = [0x7d, 0x88, 0x97];
pub(super) const RULE: Colour = [0xdf, 0xe4, 0xea];
pub(super) const WASH: Colour = [0xf5, 0xf7, 0xf9];
pub(super) const ACCENT: Colour = [0x0b, 0x6e, 0x6e];
pub(super) const AMBER: Colour = [0x8a, 0x5a, 0x00];
pub(super) const AMBER_WASH: Colour = [0xff, 0xf9, 0xec];
pub(super) const AMBER_RULE: Colour = [0xf2, 0xd9, 0xa0];

/// How text is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    pub face: Face,
    /// In points.
    pub size: f32,
    pub colour: Colour,
}

impl Style {
    pub(super) const fn new(face: Face, size: f32, colour: Colour) -> Style {
        Style { face, size, colour }
    }

    /// From one line to the next (points).
    pub(super) fn leading(self) -> f32 {
        self.size * 1.38
    }

    /// How wide a text is (points).
    pub(super) fn width(self, text: &str) -> f32 {
        text.chars().map(|c| self.advance(c)).sum()
    }

    fn advance(self, c: char) -> f32 {
        self.face.glyph(c).advance * self.size / 1000.0
    }
}

/// A piece of text in one style.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    pub text: String,
    pub style: Style,
}

impl Span {
    /// Characters that cannot be seen become escapes.
    pub(super) fn new(text: &str, style: Style) -> Span {
        Span { text: visible(text), style }
    }

    pub(super) fn width(&self) -> f32 {
        self.style.width(&self.text)
    }
}

/// A line of spans.
pub(super) type Line = Vec<Span>;

/// How wide a line is.
pub(super) fn width_of(line: &[Span]) -> f32 {
    line.iter().map(Span::width).sum()
}

/// The text with escapes for what would not be seen or would move the rest.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || crate::output::is_invisible(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Breaks spans into lines of a width: after a space where there is one, else
/// after a mark within a long name, else anywhere.
pub(super) fn wrap(spans: &[Span], width: f32) -> Vec<Line> {
    let mut lines = Lines { width, ..Lines::default() };
    for span in spans {
        for c in span.text.chars() {
            lines.push(c, span.style);
        }
    }
    lines.finish()
}

/// Sets pieces side by side while they fit, with a gap between them, and goes
/// on in the next line where one does not. A piece that is wider than a line
/// is broken itself, into so many lines at most.
pub(super) fn pack(pieces: &[Line], gap: &Span, width: f32, lines_max: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for piece in pieces {
        if let Some(line) = lines.last_mut()
            && width_of(line) + gap.width() + width_of(piece) <= width
        {
            line.push(gap.clone());
            line.extend(piece.iter().cloned());
        } else {
            lines.extend(wrap_at_most(piece, width, lines_max));
        }
    }
    lines
}

/// Breaks spans into at most so many lines; an ellipsis says that there is more.
pub(super) fn wrap_at_most(spans: &[Span], width: f32, lines_max: usize) -> Vec<Line> {
    let mut lines = wrap(spans, width);
    if lines.len() > lines_max {
        lines.truncate(lines_max.max(1));
        if let Some(last) = lines.last_mut() {
            cut(last, width);
        }
    }
    lines
}

/// One line, cut with an ellipsis where it is wider.
pub(super) fn fitted(span: Span, width: f32) -> Span {
    if span.width() <= width {
        return span;
    }
    let mut line = vec![span];
    cut(&mut line, width);
    line.swap_remove(0)
}

/// Ends a line with an ellipsis and takes away what has no room for it.
fn cut(line: &mut Line, width: f32) {
    let Some(style) = line.last().map(|span| span.style) else { return };
    let room = width - style.width("…");
    let mut used = width_of(line);
    while used > room {
        let Some(span) = line.last_mut() else { break };
        match span.text.pop() {
            Some(c) => used -= span.style.advance(c),
            None if line.len() > 1 => drop(line.pop()),
            None => break,
        }
    }
    if let Some(span) = line.last_mut() {
        let kept = span.text.trim_end().len();
        span.text.truncate(kept);
        span.text.push('…');
    }
}

/// Where a line may end: after a space best, after these otherwise.
const MARKS: [char; 12] = ['-', '/', '.', ',', ':', '_', '@', '=', '|', '+', ')', ';'];

/// Lines that are being filled.
#[derive(Default)]
struct Lines {
    width: f32,
    done: Vec<Line>,
    /// The characters of the last line, with their widths.
    open: Vec<(char, Style, f32)>,
    used: f32,
    /// How many characters of the open line come before the last place to
    /// break it: after a space, and after a mark.
    after_space: usize,
    after_mark: usize,
}

impl Lines {
    fn push(&mut self, c: char, style: Style) {
        let advance = style.advance(c);
        // A space at the end of a line needs no room.
        if self.used + advance > self.width && c != ' ' && !self.open.is_empty() {
            self.end_line();
        }
        self.open.push((c, style, advance));
        self.used += advance;
        if c == ' ' {
            self.after_space = self.open.len();
        } else if MARKS.contains(&c) {
            self.after_mark = self.open.len();
        }
    }

    fn end_line(&mut self) {
        // A name that is longer than a line is broken at its marks, and a
        // line that would be left almost empty is not worth a space.
        let long_enough = |at: usize| self.open[..at].iter().map(|(_, _, w)| w).sum::<f32>() > self.width * 0.4;
        let at = [self.after_space, self.after_mark]
            .into_iter()
            .find(|&at| at > 0 && long_enough(at))
            .unwrap_or(self.open.len());
        let rest = self.open.split_off(at);
        self.close();
        self.used = rest.iter().map(|(_, _, advance)| advance).sum();
        self.open = rest;
        // A mark within what was carried over can still be used.
        self.after_mark = self.open.iter().rposition(|(c, _, _)| MARKS.contains(c)).map_or(0, |at| at + 1);
        self.after_space = 0;
    }

    fn close(&mut self) {
        let mut line: Line = Vec::new();
        let trimmed = self.open.iter().rposition(|(c, _, _)| *c != ' ').map_or(0, |at| at + 1);
        for &(c, style, _) in &self.open[..trimmed] {
            match line.last_mut() {
                Some(span) if span.style == style => span.text.push(c),
                _ => line.push(Span { text: c.to_string(), style }),
            }
        }
        self.done.push(line);
        self.open.clear();
    }

    fn finish(mut self) -> Vec<Line> {
        if !self.open.is_empty() || self.done.is_empty() {
            self.close();
        }
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STYLE: Style = Style::new(Face::Regular, 9.0, INK);

    fn texts(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| line.iter().map(|span| span.text.as_str()).collect()).collect()
    }

    #[test]
    fn lines_end_after_words_and_long_names_after_marks() {
        let lines = wrap(&[Span::new("one two three four five six", STYLE)], 60.0);
        assert!(texts(&lines).iter().all(|line| line.len() > 4 && !line.ends_with(' ')), "{:?}", texts(&lines));
        assert_eq!(texts(&lines).join(" "), "one two three four five six");
        let lines = wrap(&[Span::new("a-customer-with-a-long-name", STYLE)], 60.0);
        assert!(texts(&lines)[..lines.len() - 1].iter().all(|line| line.ends_with('-')), "{:?}", texts(&lines));
    }

    #[test]
    fn what_is_cut_says_so() {
        let lines = wrap_at_most(&[Span::new(&"x".repeat(10_000), STYLE)], 80.0, 3);
        assert_eq!(lines.len(), 3);
        assert!(texts(&lines)[2].ends_with("x…"));
        assert!(width_of(&lines[2]) <= 80.0);
        assert_eq!(fitted(Span::new("short", STYLE), 80.0).text, "short");
        assert!(fitted(Span::new("much too long for that", STYLE), 30.0).text.ends_with('…'));
    }

    #[test]
    fn what_would_not_be_seen_is_escaped() {
        assert_eq!(visible("a\u{202e}b\0\nc"), "a\\u{202e}b\\u{0}\\nc");
    }

    proptest! {
        #[test]
        fn wrapping_keeps_every_character_within_the_width(text in "\\PC{0,200}", width in 20.0_f32..300.0) {
            let lines = wrap(&[Span::new(&text, STYLE)], width);
            for line in &lines {
                let one = line.iter().map(|span| span.text.chars().count()).sum::<usize>() <= 1;
                prop_assert!(one || width_of(line) <= width + 0.01, "{line:?}");
            }
            let squeezed = |text: &str| text.replace(' ', "");
            prop_assert_eq!(squeezed(&texts(&lines).concat()), squeezed(&visible(&text)));
        }

        #[test]
        fn cutting_never_leaves_more_than_there_is_room_for(text in "\\PC{0,80}", width in 12.0_f32..200.0) {
            prop_assert!(fitted(Span::new(&text, STYLE), width).width() <= width + 0.01);
        }
    }
}

//! Rows of cells below column headings.
//!
//! Invariants: the points of a column's figures stand below each other; a
//! figure that is wider than its column goes on in the next line and is
//! never cut; a text may be cut after some lines, and says so.

use super::face::Face;
use super::flow::Section;
use super::page::{Block, WIDTH};
use super::text::{INK, Line, RULE, SOFT, Span, Style, pack, width_of, wrap, wrap_at_most};

/// Between two columns.
const GUTTER: f32 = 10.0;
/// Above and below a row's text.
const PADDING: f32 = 4.2;
/// The narrowest that the column of free texts becomes.
const REST_MIN: f32 = 92.0;
/// The most lines of a text: a row never fills a page.
const CELL_LINES_MAX: usize = 8;
const HEADING: Style = Style::new(Face::Regular, 7.2, SOFT);

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// Texts that take what room there is.
    Rest,
    /// Short texts, from the left.
    Left,
    /// Short texts, to the right.
    Right,
    /// Numbers.
    Figure,
}

/// A column's heading and how it is set.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub title: String,
    pub set: Set,
    /// The widest that it becomes by itself.
    pub width_max: f32,
}

/// What stands in a row and a column.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    /// Paragraphs.
    Text(Vec<Line>),
    /// Pieces that stand side by side where there is room.
    Pieces(Vec<Line>),
    /// What comes before the decimal point, and the point with what follows.
    Figure(Span, Line),
}

/// A row of a table.
#[derive(Debug, Clone)]
pub(super) enum Row {
    Cells(Vec<Cell>),
    /// A line over the whole width that heads the rows below.
    Group(Line),
}

/// Sets a table. The last row stays with what follows the table.
pub(super) fn table(columns: &[Column], rows: &[Row]) -> Section {
    let layout = Layout::new(columns, rows);
    let last = rows.len().saturating_sub(1);
    let blocks = rows.iter().enumerate().map(|(index, row)| match row {
        Row::Group(line) => group(line),
        Row::Cells(cells) => Block { keep: index == last, ..layout.row(cells) },
    });
    Section { heading: Some(layout.heading(columns)), blocks: blocks.collect() }
}

fn group(line: &[Span]) -> Block {
    let mut block = Block::new(6.0).kept();
    block.text(0.0, 10.0, line);
    block.height = 14.0;
    block.rule(block.height, 0.5, RULE);
    block
}

/// Where the columns are.
struct Layout {
    columns: Vec<Place>,
}

struct Place {
    set: Set,
    left: f32,
    width: f32,
    /// The room right of the decimal point.
    fraction: f32,
}

impl Layout {
    fn new(columns: &[Column], rows: &[Row]) -> Layout {
        let mut places: Vec<Place> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| natural(column, rows.iter().filter_map(|row| cell(row, index))))
            .collect();
        let gutters = GUTTER * places.len().saturating_sub(1) as f32;
        let rest = if columns.iter().any(|column| column.set == Set::Rest) { REST_MIN } else { 0.0 };
        narrow(&mut places, WIDTH - gutters - rest);
        let used: f32 = places.iter().map(|place| place.width).sum();
        let mut left = 0.0;
        for place in &mut places {
            if place.set == Set::Rest {
                place.width = WIDTH - gutters - used;
            }
            place.left = left;
            left += place.width + GUTTER;
        }
        Layout { columns: places }
    }

    fn heading(&self, columns: &[Column]) -> Block {
        let cells: Vec<Vec<Line>> = columns
            .iter()
            .zip(&self.columns)
            .map(|(column, place)| wrap(&[Span::new(&column.title, HEADING)], place.width))
            .collect();
        let lines = cells.iter().map(Vec::len).max().unwrap_or(0);
        let mut block = Block::new(14.0).kept();
        for (place, cell) in self.columns.iter().zip(&cells) {
            let above = (lines - cell.len()) as f32 * HEADING.leading();
            place.draw(&mut block, above + HEADING.size, cell);
        }
        block.height = lines as f32 * HEADING.leading() + 4.0;
        block.rule(block.height, 0.8, INK);
        block
    }

    fn row(&self, cells: &[Cell]) -> Block {
        let mut block = Block::new(0.0);
        let first = cells.iter().map(Cell::size).fold(0.0, f32::max);
        let mut foot: f32 = 0.0;
        for (place, cell) in self.columns.iter().zip(cells) {
            foot = foot.max(place.cell(&mut block, PADDING + first, cell));
        }
        block.height = foot + PADDING;
        block.rule(block.height, 0.5, RULE);
        block
    }
}

impl Place {
    fn cell(&self, block: &mut Block, y: f32, cell: &Cell) -> f32 {
        match cell {
            Cell::Text(paragraphs) => {
                let lines: Vec<Line> =
                    paragraphs.iter().flat_map(|line| wrap_at_most(line, self.width, CELL_LINES_MAX)).collect();
                self.draw(block, y, &lines)
            }
            Cell::Pieces(pieces) => {
                self.draw(block, y, &pack(pieces, &Span::new("   ", HEADING), self.width, CELL_LINES_MAX))
            }
            Cell::Figure(whole, fraction) => {
                let point = self.left + self.width - self.fraction;
                let fits = whole.width() <= self.width - self.fraction + 0.01;
                if fits && width_of(fraction) <= self.fraction + 0.01 {
                    block.text_to(point, y, std::slice::from_ref(whole));
                    block.text(point, y, fraction);
                    return y + whole.style.leading() - whole.style.size;
                }
                let all: Line = std::iter::once(whole.clone()).chain(fraction.iter().cloned()).collect();
                self.draw(block, y, &wrap(&all, self.width))
            }
        }
    }

    /// Draws lines from a first baseline on; gives where they end.
    fn draw(&self, block: &mut Block, y: f32, lines: &[Line]) -> f32 {
        let mut y = y;
        let mut foot = y;
        for line in lines {
            let Some(style) = line.first().map(|span| span.style) else { continue };
            match self.set {
                Set::Rest | Set::Left => drop(block.text(self.left, y, line)),
                Set::Right | Set::Figure => block.text_to(self.left + self.width, y, line),
            }
            foot = y + style.leading() - style.size;
            y += style.leading();
        }
        foot
    }
}

impl Cell {
    /// The size of its first line.
    fn size(&self) -> f32 {
        match self {
            Cell::Text(lines) | Cell::Pieces(lines) => {
                lines.first().and_then(|line| line.first()).map_or(0.0, |s| s.style.size)
            }
            Cell::Figure(whole, _) => whole.style.size,
        }
    }
}

fn cell(row: &Row, column: usize) -> Option<&Cell> {
    match row {
        Row::Cells(cells) => cells.get(column),
        Row::Group(_) => None,
    }
}

/// A column as wide as its content.
fn natural<'a>(column: &Column, cells: impl Iterator<Item = &'a Cell>) -> Place {
    let (mut width, mut whole, mut fraction) = (0.0_f32, 0.0_f32, 0.0_f32);
    for cell in cells {
        match cell {
            Cell::Text(lines) | Cell::Pieces(lines) => {
                width = lines.iter().map(|line| width_of(line)).fold(width, f32::max)
            }
            Cell::Figure(before, after) => {
                whole = whole.max(before.width());
                fraction = fraction.max(width_of(after));
            }
        }
    }
    let title = HEADING.width(&column.title);
    let width = match column.set {
        Set::Rest => 0.0,
        _ => width.max(whole + fraction).min(column.width_max).max(title.min(column.width_max)) + 0.05,
    };
    Place { set: column.set, left: 0.0, width, fraction }
}

/// Makes the widest columns narrower until all fit.
fn narrow(places: &mut [Place], available: f32) {
    let total = |cap: f32, places: &[Place]| places.iter().map(|place| place.width.min(cap)).sum::<f32>();
    let (mut low, mut high) = (0.0, WIDTH * 2.0);
    if total(high, places) <= available {
        return;
    }
    // Halving so often finds the widest that fits to a hundredth of a point.
    for _ in 0..20 {
        let cap = (low + high) / 2.0;
        if total(cap, places) <= available { low = cap } else { high = cap }
    }
    for place in places {
        place.width = place.width.min(low);
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::Mark;
    use super::*;

    const STYLE: Style = Style::new(Face::Regular, 8.5, INK);

    fn figure(number: &str) -> Cell {
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
        Cell::Figure(Span::new(whole, STYLE), vec![Span::new(&fraction, STYLE)])
    }

    fn columns() -> Vec<Column> {
        let column = |title: &str, set| Column { title: title.to_owned(), set, width_max: 400.0 };
        vec![
            column("Text", Set::Rest),
            column("Left", Set::Figure),
            column("Middle", Set::Figure),
            column("Right", Set::Figure),
        ]
    }

    fn texts(block: &Block) -> Vec<(f32, &str)> {
        let text = |mark| match mark {
            &Mark::Text { x, ref span, .. } => Some((x, span.text.as_str())),
            _ => None,
        };
        block.marks.iter().filter_map(text).collect()
    }

    #[test]
    fn points_stand_below_each_other() {
        let row = |number| Row::Cells(vec![Cell::Text(vec![]), figure("1"), figure("1"), figure(number)]);
        let section = table(&columns(), &[row("1,234.5"), row("7"), row("0.000000000001")]);
        let points: Vec<f32> = section.blocks.iter().filter_map(|b| texts(b).last().map(|(x, _)| *x)).collect();
        assert!(points.iter().all(|x| (x - points[0]).abs() < 0.01), "{points:?}");
    }

    #[test]
    fn figures_of_any_length_are_whole_and_within_the_page() {
        let long = format!("-{}.{}", "99,999,999,999,999,999,999,999,999", "123456789012");
        let name = vec![vec![Span::new(&"n".repeat(10_000), STYLE)]];
        let cells = vec![Cell::Text(name), figure(&long), figure(&long), figure(&long)];
        let section = table(&columns(), &[Row::Cells(cells)]);
        let block = &section.blocks[0];
        assert!(block.height < 200.0, "{}", block.height);
        for (x, text) in texts(block) {
            assert!(x >= 0.0 && x + STYLE.width(text) <= WIDTH + 0.1, "{x} {text}");
        }
        let figures: String = texts(block).into_iter().map(|(_, text)| text).filter(|t| !t.contains('n')).collect();
        assert_eq!(figures, long.repeat(3));
    }
}

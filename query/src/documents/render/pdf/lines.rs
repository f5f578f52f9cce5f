//! The lines of a statement as a table, and what has no price yet.
//!
//! Invariant: the numbers are those of the appendix.

use super::face::Face;
use super::flow::Section;
use super::page::{Block, WIDTH};
use super::table::{Cell, Column, Row, Set, table};
use super::text::{AMBER_WASH, FAINT, INK, Line as TextLine, SOFT, Span, Style, pack};
use crate::documents::currency::minor_units;
use crate::documents::figures::{adjustment, grouped, lacking, meter_label, moment, per, percent, since, units};
use crate::documents::statement::{Kind, Statement, Unrated};
use stempoint_schemas::meter::{Dimension, Meter};

pub(super) const TEXT: Style = Style::new(Face::Regular, 8.4, INK);
pub(super) const SMALL: Style = Style::new(Face::Regular, 7.2, SOFT);
const NOTE: Style = Style::new(Face::Regular, 7.2, FAINT);
pub(super) const NUMBER: Style = Style::new(Face::Regular, 7.2, FAINT);
const FINE: Style = Style::new(Face::Regular, 8.4, FAINT);
const METER: Style = Style::new(Face::Bold, 8.6, INK);
const METER_NAME: Style = Style::new(Face::Mono, 7.2, FAINT);

pub(super) fn section(statement: &Statement) -> Section {
    let has_share = statement.kind == Kind::Earnings;
    let mut columns = vec![
        column("#", Set::Right, 40.0),
        column("Description", Set::Rest, 0.0),
        column("Quantity", Set::Figure, 220.0),
        column("Unit price", Set::Figure, 110.0),
        column("", Set::Left, 92.0),
    ];
    if has_share {
        columns.push(column("Share", Set::Right, 70.0));
    }
    columns.push(column(&format!("Amount ({})", statement.currency), Set::Figure, 240.0));
    let since = since(statement, moment);
    let places = minor_units(&statement.currency);
    let mut rows = Vec::new();
    let mut meter = None;
    for (index, line) in statement.lines.iter().enumerate() {
        if meter.replace(line.meter) != Some(line.meter) {
            rows.push(Row::Group(group(line.meter)));
        }
        let unless_adjusted = |cell: Cell| if line.adjustment.is_none() { cell } else { Cell::Text(Vec::new()) };
        let mut price = Vec::new();
        if line.adjustment.is_none() {
            price.push(vec![Span::new(&per(line), SMALL)]);
        }
        price.extend(since[index].iter().map(|from| vec![Span::new(&format!("from {from}"), NOTE)]));
        let mut cells = vec![
            Cell::Text(vec![vec![Span::new(&(index + 1).to_string(), NUMBER)]]),
            Cell::Pieces(match &line.adjustment {
                Some(model) => vec![vec![Span::new(&adjustment(model), Style { colour: SOFT, ..TEXT })]],
                None => dimensions(&line.dimensions),
            }),
            unless_adjusted(figure(&line.quantity.to_string(), usize::MAX)),
            unless_adjusted(figure(&line.unit_price.with_places(2), usize::MAX)),
            Cell::Text(price),
        ];
        if has_share {
            cells.push(Cell::Text(vec![vec![Span::new(&percent(line.share), TEXT)]]));
        }
        cells.push(figure(&line.amount.with_places(places), places as usize));
        rows.push(Row::Cells(cells));
    }
    if let Some(true_up) = &statement.true_up {
        rows.push(Row::Group(vec![Span::new("Commitment", METER)]));
        let empty = || Cell::Text(Vec::new());
        rows.push(Row::Cells(vec![
            Cell::Text(vec![vec![Span::new(&(statement.lines.len() + 1).to_string(), NUMBER)]]),
            Cell::Text(vec![vec![Span::new(&lacking(statement, true_up), Style { colour: SOFT, ..TEXT })]]),
            empty(),
            empty(),
            empty(),
            figure(&true_up.amount.with_places(places), places as usize),
        ]));
    }
    if rows.is_empty() { nothing() } else { table(&columns, &rows) }
}

fn nothing() -> Section {
    let mut block = Block::new(14.0).kept();
    block.rule(0.0, 0.8, INK);
    block.text(0.0, 24.0, &[Span::new("Nothing is charged in this period.", Style { colour: SOFT, ..TEXT })]);
    block.height = 36.0;
    Section { heading: None, blocks: vec![block] }
}

pub(super) fn column(title: &str, set: Set, width_max: f32) -> Column {
    Column { title: title.to_owned(), set, width_max }
}

fn group(meter: Meter) -> TextLine {
    vec![Span::new(meter_label(meter), METER), Span::new("  ", METER_NAME), Span::new(meter.name(), METER_NAME)]
}

/// Each dimension as a piece of its own, so that a long one is cut alone.
fn dimensions(dimensions: &[(Dimension, String)]) -> Vec<TextLine> {
    if dimensions.is_empty() {
        return vec![vec![Span::new("All usage", Style { colour: SOFT, ..TEXT })]];
    }
    let line = |(dimension, value): &(Dimension, String)| {
        vec![Span::new(dimension.name(), SMALL), Span::new(" ", SMALL), Span::new(value, TEXT)]
    };
    dimensions.iter().map(line).collect()
}

/// A number; what is finer than so many places is set in a lighter colour.
pub(super) fn figure(number: &str, places: usize) -> Cell {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let (main, fine) = fraction.split_at(places.min(fraction.len()));
    let mut after = Vec::new();
    if !main.is_empty() {
        after.push(Span::new(&format!(".{main}"), TEXT));
    }
    if !fine.is_empty() {
        let point = if main.is_empty() { "." } else { "" };
        after.push(Span::new(&format!("{point}{fine}"), FINE));
    }
    Cell::Figure(Span::new(&grouped(whole), TEXT), after)
}

/// What is in no line because it has no price yet.
pub(super) fn unrated(statement: &Statement) -> Section {
    let mut blocks = Vec::new();
    if !statement.unrated.is_empty() {
        let verb = match statement.kind {
            Kind::Invoice => "billed",
            Kind::Earnings => "earned",
        };
        let text = format!("This usage of the period has no price yet. It is {verb} once a price for it is in force.");
        let mut head = Block::new(22.0).kept();
        head.height = 8.0;
        head.paragraph(12.0, &[vec![Span::new("Not included", METER)], vec![Span::new(&text, SMALL)]]);
        blocks.push(banded(head, 5.0));
        let last = statement.unrated.len() - 1;
        blocks.extend(
            statement
                .unrated
                .iter()
                .enumerate()
                .map(|(index, of)| banded(waiting(of), if index == last { 8.0 } else { 0.0 })),
        );
    }
    Section { heading: None, blocks }
}

fn waiting(unrated: &Unrated) -> Block {
    let mut block = Block::new(0.0);
    let quantity = grouped(&unrated.quantity.to_string());
    let unit = units(unrated.meter, unrated.quantity);
    let baseline = TEXT.size + 2.0;
    block.text(12.0, baseline, &[Span::new(meter_label(unrated.meter), TEXT)]);
    let figure = [Span::new(&quantity, TEXT), Span::new(" ", SMALL), Span::new(&unit, SMALL)];
    block.text_to(WIDTH - 12.0, baseline, &figure);
    let room = WIDTH - 12.0 - super::text::width_of(&figure) - 16.0 - 120.0;
    block.height = 2.0;
    let lines = pack(&dimensions(&unrated.dimensions), &Span::new("   ", SMALL), room.max(60.0), 4);
    for line in &lines {
        block.text(120.0, block.height + TEXT.size, line);
        block.height += TEXT.leading();
    }
    block
}

/// A block on a coloured band.
fn banded(mut block: Block, below: f32) -> Block {
    block.height += below;
    let marks = std::mem::take(&mut block.marks);
    // Bands that meet must not show a line between them.
    block.fill(0.0, 0.0, (WIDTH, block.height + 0.2), AMBER_WASH);
    block.marks.extend(marks);
    block
}

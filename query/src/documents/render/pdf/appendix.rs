//! The query of each line, and how to run it.
//!
//! Invariant: every query is there whole, under its line's number.

use super::face::Face;
use super::flow::Section;
use super::page::{BOTTOM, Block, TOP_LATER, WIDTH};
use super::text::{FAINT, INK, SOFT, Span, Style, pack, wrap};

const HEADING: Style = Style::new(Face::Bold, 10.0, INK);
const TEXT: Style = Style::new(Face::Regular, 8.2, SOFT);
const STRONG: Style = Style::new(Face::Bold, 8.2, INK);
const CODE: Style = Style::new(Face::Mono, 7.6, INK);
const QUERY: Style = Style::new(Face::Mono, 6.3, SOFT);
const NUMBER: Style = Style::new(Face::Regular, 6.8, FAINT);

/// The column of the numbers.
const LEFT: f32 = 30.0;
/// What joins the conditions of a query.
const AND: &str = " AND ";

/// The queries by the numbers of their lines, with what each gives.
pub(super) fn section(title: &str, version: i64, gives: &str, queries: Vec<(String, &str)>) -> Section {
    let version = version.to_string();
    let mut intro = Block::new(30.0);
    intro.paragraph(0.0, &[vec![Span::new(title, HEADING)]]);
    intro.height += 3.0;
    let text = [
        Span::new("This document shows ledger version ", TEXT),
        Span::new(&version, STRONG),
        Span::new(", which never changes. Run any of the queries below on it with ", TEXT),
        Span::new(&format!("stempoint sql \"…\" --version {version}"), CODE),
        Span::new(
            &format!(
                " or with any reader of the open tables: it gives {gives}, now and in years. The same figures and \
                 queries are attached to this file as statement.json."
            ),
            TEXT,
        ),
    ];
    let lines = wrap(&text, WIDTH);
    intro.paragraph(0.0, &lines);
    let mut blocks = vec![Block { keep: !queries.is_empty(), ..intro }];
    blocks.extend(queries.iter().flat_map(|(number, sql)| query(number, sql)));
    Section { heading: None, blocks }
}

/// One query: its lines stay together if a page has room for them.
fn query(number: &str, sql: &str) -> Vec<Block> {
    // A condition goes to the next line whole, if it is not longer than one.
    let conditions: Vec<Vec<Span>> = sql
        .split(AND)
        .enumerate()
        .map(|(index, part)| vec![Span::new(&if index == 0 { part.to_owned() } else { format!("AND {part}") }, QUERY)])
        .collect();
    let lines = pack(&conditions, &Span::new(" ", QUERY), WIDTH - LEFT, usize::MAX);
    let last = lines.len() - 1;
    let fits = lines.len() as f32 * QUERY.leading() < (BOTTOM - TOP_LATER) / 2.0;
    let block = |(index, line): (usize, Vec<Span>)| {
        let mut block = Block::new(if index == 0 { 5.0 } else { 0.0 });
        if index == 0 {
            let number = Span::new(number, NUMBER);
            block.text_to(LEFT - 8.0, QUERY.size, &[number]);
        }
        block.paragraph(LEFT, &[line]);
        block.height = QUERY.leading();
        Block { keep: fits && index < last, ..block }
    };
    lines.into_iter().enumerate().map(block).collect()
}

//! Blocks onto pages.
//!
//! Invariants: every block is drawn exactly once, whole and within the page;
//! blocks that belong together are on one page where a page has room for
//! them; what heads a section is repeated on each of its pages.

use super::page::{BOTTOM, Block, Page, SIDE, TOP, TOP_LATER};

/// Blocks with a common heading.
#[derive(Debug, Clone, Default)]
pub(super) struct Section {
    /// Drawn before the first block and on top of each further page.
    pub heading: Option<Block>,
    pub blocks: Vec<Block>,
}

/// Pages that are being filled.
struct Flow {
    pages: Vec<Page>,
    y: f32,
    /// Nothing was placed on this page yet, save for a heading.
    is_fresh: bool,
}

/// Puts sections on pages.
pub(super) fn paginate(sections: Vec<Section>) -> Vec<Page> {
    let mut flow = Flow { pages: vec![Page::default()], y: TOP, is_fresh: true };
    for section in sections {
        flow.section(section);
    }
    flow.pages
}

impl Flow {
    fn section(&mut self, section: Section) {
        let heading = section.heading.as_ref();
        let mut is_headed = heading.is_none();
        for group in groups(section.blocks) {
            let heading_height = match heading {
                Some(heading) if !is_headed => heading.gap + heading.height,
                _ => 0.0,
            };
            if !self.is_fresh && self.y + heading_height + height_of(&group) > BOTTOM {
                self.turn();
                is_headed = heading.is_none();
            }
            self.head(heading, &mut is_headed);
            for block in group {
                if !self.is_fresh && self.y + block.gap + block.height > BOTTOM {
                    self.turn();
                    is_headed = heading.is_none();
                    self.head(heading, &mut is_headed);
                }
                self.place(block);
                self.is_fresh = false;
            }
        }
    }

    fn head(&mut self, heading: Option<&Block>, is_headed: &mut bool) {
        if let (Some(heading), false) = (heading, *is_headed) {
            self.place(heading.clone());
            *is_headed = true;
        }
    }

    fn turn(&mut self) {
        self.pages.push(Page::default());
        self.y = TOP_LATER;
        self.is_fresh = true;
    }

    fn place(&mut self, block: Block) {
        let begins = self.pages.last().is_none_or(|page| page.marks.is_empty());
        let top = if begins { self.y } else { self.y + block.gap };
        if let Some(page) = self.pages.last_mut() {
            page.marks.extend(block.marks.into_iter().map(|mark| mark.moved(SIDE, top)));
        }
        self.y = top + block.height;
    }
}

/// Blocks that stay together: those that are kept, and the one that follows.
fn groups(blocks: Vec<Block>) -> Vec<Vec<Block>> {
    let mut groups = Vec::new();
    let mut group = Vec::new();
    for block in blocks {
        let is_last = !block.keep;
        group.push(block);
        if is_last {
            groups.push(std::mem::take(&mut group));
        }
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

fn height_of(blocks: &[Block]) -> f32 {
    blocks.iter().map(|block| block.gap + block.height).sum()
}

#[cfg(test)]
mod tests {
    use super::super::face::Face;
    use super::super::page::Mark;
    use super::super::text::{INK, Span, Style};
    use super::*;
    use proptest::prelude::*;

    fn named(name: &str, height: f32) -> Block {
        let mut block = Block::new(3.0);
        block.text(0.0, height, &[Span::new(name, Style::new(Face::Regular, 6.0, INK))]);
        block.height = height;
        block
    }

    /// What each page has, from top to bottom, and where.
    fn drawn(pages: &[Page]) -> Vec<Vec<(f32, String)>> {
        let text = |mark: &Mark| match mark {
            Mark::Text { y, span, .. } => Some((*y, span.text.clone())),
            _ => None,
        };
        pages.iter().map(|page| page.marks.iter().filter_map(text).collect()).collect()
    }

    proptest! {
        #[test]
        fn every_block_is_drawn_once_in_order_below_its_heading(
            blocks in prop::collection::vec((1.0_f32..300.0, any::<bool>()), 0..200),
            before in 0.0_f32..700.0,
        ) {
            let heights: Vec<f32> = blocks.iter().map(|(height, _)| *height).collect();
            let rows = blocks.iter().enumerate().map(|(index, &(height, keep))| {
                Block { keep, ..named(&index.to_string(), height) }
            });
            let first = Section { heading: None, blocks: vec![named("before", before)] };
            let table = Section { heading: Some(named("heading", 20.0)), blocks: rows.collect() };
            let pages = drawn(&paginate(vec![first, table]));
            let mut seen = Vec::new();
            for (number, page) in pages.iter().enumerate() {
                let rows: Vec<_> = page.iter().filter(|(_, text)| text != "before").collect();
                prop_assert!(rows.first().is_none_or(|(_, text)| text == "heading"), "{page:?}");
                prop_assert!(number == 0 || rows.len() > 1, "nothing but a heading: {page:?}");
                let mut foot = 0.0;
                for (y, text) in page {
                    let height = text.parse().map_or(20.0, |index: usize| heights[index]);
                    prop_assert!(*y <= BOTTOM + 0.01 && (text == "before" || y - height >= foot - 0.01), "{page:?}");
                    foot = *y;
                    if let Ok(index) = text.parse::<usize>() {
                        seen.push(index);
                    }
                }
            }
            prop_assert_eq!(seen, (0..heights.len()).collect::<Vec<_>>());
        }

        #[test]
        fn what_belongs_together_is_on_one_page(
            before in prop::collection::vec(5.0_f32..60.0, 0..40),
            group in prop::collection::vec(5.0_f32..60.0, 1..9),
        ) {
            let mut blocks: Vec<Block> = before.iter().map(|height| named("before", *height)).collect();
            let last = group.len() - 1;
            blocks.extend(group.iter().enumerate().map(|(index, height)| {
                Block { keep: index < last, ..named("group", *height) }
            }));
            let pages = drawn(&paginate(vec![Section { heading: None, blocks }]));
            let with: Vec<usize> = pages.iter().map(|page| page.iter().filter(|(_, t)| t == "group").count()).collect();
            prop_assert_eq!(with.iter().filter(|count| **count > 0).count(), 1, "{:?}", with);
        }
    }
}

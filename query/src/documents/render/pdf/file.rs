//! Pages as a PDF file.
//!
//! Invariant: the bytes depend on the pages and the facts alone: no clock, no
//! random number, and a packer that gives the same bytes on every machine.

use pdf_writer::types::AssociationKind;
use pdf_writer::writers::FileSpec;
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use super::embed::Fonts;
use super::face::Face;
use super::page::{Mark, PAGE_HEIGHT, PAGE_WIDTH, Page};
use super::text::{Colour, Style};

/// The name of the attached file.
const ATTACHED: &str = "statement.json";
/// How hard streams are packed, from 0 to 10.
const PACKING: u8 = 7;

/// What a file says besides its pages.
pub(super) struct Facts<'a> {
    pub title: &'a str,
    pub author: &'a str,
    /// The same document for programs.
    pub json: &'a [u8],
}

/// The next object's number.
#[derive(Default)]
pub(super) struct Refs(i32);

impl Refs {
    pub(super) fn next(&mut self) -> Ref {
        self.0 = self.0.saturating_add(1);
        Ref::new(self.0)
    }

    pub(super) fn some<const N: usize>(&mut self) -> [Ref; N] {
        std::array::from_fn(|_| self.next())
    }
}

/// Packs a stream.
pub(super) fn packed(bytes: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec_zlib(bytes, PACKING)
}

/// Writes a file.
pub(super) fn write(pages: &[Page], facts: &Facts<'_>) -> Vec<u8> {
    let mut pdf = Pdf::new();
    pdf.set_version(1, 7);
    let mut refs = Refs::default();
    let [catalog, info, tree, resources, spec, attached] = refs.some();
    let mut fonts = Fonts::default();
    let mut kids = Vec::with_capacity(pages.len());
    for page in pages {
        let [id, content] = refs.some();
        kids.push(id);
        pdf.page(id)
            .parent(tree)
            .media_box(Rect::new(0.0, 0.0, PAGE_WIDTH, PAGE_HEIGHT))
            .contents(content)
            .pair(Name(b"Resources"), resources);
        pdf.stream(content, &packed(&drawn(page, &mut fonts))).filter(Filter::FlateDecode);
    }
    let count = i32::try_from(kids.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(kids).count(count);
    let written = fonts.write(&mut pdf, &mut refs);
    let mut dictionary = pdf.indirect(resources).dict();
    let mut names = dictionary.insert(Name(b"Font")).dict();
    for (face, font) in written {
        names.pair(font_name(face), font);
    }
    names.finish();
    dictionary.finish();
    attach(&mut pdf, spec, attached, facts.json);
    describe(&mut pdf, [catalog, info, tree, spec], facts);
    pdf.finish()
}

fn attach(pdf: &mut Pdf, spec: Ref, attached: Ref, json: &[u8]) {
    let packed = packed(json);
    let mut file = pdf.embedded_file(attached, &packed);
    file.filter(Filter::FlateDecode);
    file.subtype(Name(b"application/json"));
    file.params().size(i32::try_from(json.len()).unwrap_or(i32::MAX));
    file.finish();
    pdf.indirect(spec)
        .start::<FileSpec<'_>>()
        .path(Str(ATTACHED.as_bytes()))
        .unic_file(TextStr(ATTACHED))
        .description(TextStr("This document for programs, with the query of each line"))
        .embedded_file_with_unicode(attached)
        .association_kind(AssociationKind::Alternative);
}

fn describe(pdf: &mut Pdf, [catalog, info, tree, spec]: [Ref; 4], facts: &Facts<'_>) {
    let mut root = pdf.catalog(catalog);
    root.pages(tree).lang(TextStr("en"));
    root.viewer_preferences().display_doc_title(true);
    root.names().embedded_files().names().insert(Str(ATTACHED.as_bytes()), spec);
    root.insert(Name(b"AF")).array().item(spec);
    root.finish();
    pdf.document_info(info).title(TextStr(facts.title)).author(TextStr(facts.author)).producer(TextStr("Stempoint"));
}

/// A page's drawing commands.
fn drawn(page: &Page, fonts: &mut Fonts) -> Vec<u8> {
    let mut content = Content::new();
    let mut state = State::default();
    for mark in &page.marks {
        match mark {
            Mark::Text { x, y, span } => {
                state.colour(&mut content, span.style.colour);
                let mut x = *x;
                for (face, text, width) in fonts.runs(span) {
                    content.begin_text();
                    state.font(&mut content, Style { face, ..span.style });
                    content.next_line(rounded(x), rounded(PAGE_HEIGHT - y)).show(Str(&text));
                    content.end_text();
                    x += width;
                }
            }
            &Mark::Fill { x, y, width, height, colour } => {
                state.colour(&mut content, colour);
                let (x, width, height) = (rounded(x), rounded(width), rounded(height));
                content.rect(x, rounded(PAGE_HEIGHT - y) - height, width, height).fill_nonzero();
            }
            &Mark::Outline { x, y, width, height, colour } => {
                stroke(&mut content, colour, 0.6);
                content.rect(rounded(x), rounded(PAGE_HEIGHT - y - height), rounded(width), rounded(height)).stroke();
            }
            &Mark::Ring { x, y, radius, stroke: line, colour } => {
                stroke(&mut content, colour, line);
                ring(&mut content, x, PAGE_HEIGHT - y, radius);
                content.stroke();
            }
        }
    }
    content.finish().to_vec()
}

/// What was set last, so that it is not set again.
#[derive(Default)]
struct State {
    colour: Option<Colour>,
    font: Option<(Face, f32)>,
}

impl State {
    fn colour(&mut self, content: &mut Content, colour: Colour) {
        if self.colour.replace(colour) != Some(colour) {
            let [red, green, blue] = parts(colour);
            content.set_fill_rgb(red, green, blue);
        }
    }

    fn font(&mut self, content: &mut Content, style: Style) {
        if self.font.replace((style.face, style.size)) != Some((style.face, style.size)) {
            content.set_font(font_name(style.face), rounded(style.size));
        }
    }
}

fn stroke(content: &mut Content, colour: Colour, width: f32) {
    let [red, green, blue] = parts(colour);
    content.set_stroke_rgb(red, green, blue).set_line_width(width);
}

/// A circle of four curves.
fn ring(content: &mut Content, x: f32, y: f32, radius: f32) {
    let handle = radius * 0.5523;
    content.move_to(x + radius, y);
    content.cubic_to(x + radius, y + handle, x + handle, y + radius, x, y + radius);
    content.cubic_to(x - handle, y + radius, x - radius, y + handle, x - radius, y);
    content.cubic_to(x - radius, y - handle, x - handle, y - radius, x, y - radius);
    content.cubic_to(x + handle, y - radius, x + radius, y - handle, x + radius, y);
    content.close_path();
}

fn parts(colour: Colour) -> [f32; 3] {
    colour.map(|part| (f32::from(part) / 255.0 * 1000.0).round() / 1000.0)
}

/// To a hundredth of a point, which nobody sees and which keeps files small.
fn rounded(points: f32) -> f32 {
    (points * 100.0).round() / 100.0
}

const fn font_name(face: Face) -> Name<'static> {
    match face {
        Face::Regular => Name(b"R"),
        Face::Bold => Name(b"B"),
        Face::Mono => Name(b"M"),
    }
}

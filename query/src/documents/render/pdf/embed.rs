//! The fonts of one file: only the glyphs that it uses, and what each means.
//!
//! Invariant: what is copied from the page is the text that was set, also
//! where a character is shown by a replacement: characters are numbered, not
//! glyphs, so that several with the same look keep their meanings.

use std::collections::HashMap;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Filter, Finish, Name, Pdf, Ref, Str};
use subsetter::GlyphRemapper;

use super::face::{Face, Glyph};
use super::file::{Refs, packed};
use super::text::Span;

const SYSTEM: SystemInfo<'static> = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// The characters that a file uses, by font.
#[derive(Default)]
pub(super) struct Fonts {
    used: [Used; Face::ALL.len()],
}

/// The characters that one font shows.
#[derive(Default)]
struct Used {
    /// From a character to its number, from 1.
    numbers: HashMap<char, u16>,
    /// In the order of their numbers.
    glyphs: Vec<(char, Glyph)>,
}

impl Fonts {
    /// The runs of a text that one font shows, with the numbers of their
    /// characters as a file has them, and how wide they are (points).
    pub(super) fn runs(&mut self, span: &Span) -> Vec<(Face, Vec<u8>, f32)> {
        let mut runs: Vec<(Face, Vec<u8>, f32)> = Vec::new();
        for c in span.text.chars() {
            let glyph = span.style.face.glyph(c);
            let number = self.used[glyph.face as usize].number(c, glyph);
            if runs.last().is_none_or(|(face, _, _)| *face != glyph.face) {
                runs.push((glyph.face, Vec::new(), 0.0));
            }
            if let Some((_, bytes, width)) = runs.last_mut() {
                bytes.extend(number.to_be_bytes());
                *width += glyph.advance * span.style.size / 1000.0;
            }
        }
        runs
    }

    /// Writes the fonts that are used; gives their objects.
    pub(super) fn write(&self, pdf: &mut Pdf, refs: &mut Refs) -> Vec<(Face, Ref)> {
        let used = Face::ALL.into_iter().zip(&self.used).filter(|(_, used)| !used.glyphs.is_empty());
        used.map(|(face, used)| (face, used.write(face, pdf, refs))).collect()
    }
}

impl Used {
    fn number(&mut self, c: char, glyph: Glyph) -> u16 {
        if let Some(&number) = self.numbers.get(&c) {
            return number;
        }
        // 0 is what no character has: it shows an empty box. A file with more
        // than 65,535 different characters has boxes for the rest.
        let Ok(number) = u16::try_from(self.glyphs.len() + 1) else { return 0 };
        self.numbers.insert(c, number);
        self.glyphs.push((c, glyph));
        number
    }

    fn write(&self, face: Face, pdf: &mut Pdf, refs: &mut Refs) -> Ref {
        let mut remapper = GlyphRemapper::new();
        let mut to_glyph = vec![0_u8, 0];
        for (_, glyph) in &self.glyphs {
            to_glyph.extend(remapper.remap(glyph.id).to_be_bytes());
        }
        // The fonts are part of the program and can be cut; that is tested.
        let file = subsetter::subset(face.bytes(), 0, &remapper).unwrap_or_else(|_| face.bytes().to_vec());
        let name = format!("{}+{}", tag(&to_glyph, &self.glyphs), face.name());
        let name = Name(name.as_bytes());
        let [font, cid, descriptor, unicode, map, data] = refs.some();

        pdf.type0_font(font)
            .base_font(name)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(cid)
            .to_unicode(unicode);
        let mut cid_font = pdf.cid_font(cid);
        cid_font.subtype(CidFontType::Type2).base_font(name).system_info(SYSTEM).font_descriptor(descriptor);
        cid_font.default_width(0.0).cid_to_gid_map_stream(map);
        cid_font.widths().consecutive(1, self.glyphs.iter().map(|(_, glyph)| glyph.advance));
        cid_font.finish();
        describe(pdf, descriptor, face, name, data);

        let mut cmap = UnicodeCmap::<u16>::new(Name(b"Adobe-Identity-UCS"), SYSTEM);
        for (number, (c, _)) in (1..).zip(&self.glyphs) {
            cmap.pair(number, *c);
        }
        let cmap = packed(cmap.finish().as_slice());
        pdf.cmap(unicode, &cmap).filter(Filter::FlateDecode);
        pdf.stream(map, &packed(&to_glyph)).filter(Filter::FlateDecode);
        let length = i32::try_from(file.len()).unwrap_or(i32::MAX);
        pdf.stream(data, &packed(&file)).filter(Filter::FlateDecode).pair(Name(b"Length1"), length);
        font
    }
}

fn describe(pdf: &mut Pdf, descriptor: Ref, face: Face, name: Name, data: Ref) {
    let metrics = face.metrics();
    let [x_min, y_min, x_max, y_max] = metrics.bounds;
    let fixed = if face == Face::Mono { FontFlags::FIXED_PITCH } else { FontFlags::empty() };
    pdf.font_descriptor(descriptor)
        .name(name)
        .flags(FontFlags::SYMBOLIC | fixed)
        .bbox(pdf_writer::Rect::new(x_min, y_min, x_max, y_max))
        .italic_angle(0.0)
        .ascent(metrics.ascent)
        .descent(metrics.descent)
        .cap_height(metrics.cap_height)
        .stem_v(if face == Face::Bold { 140.0 } else { 80.0 })
        .font_file2(data);
}

/// Six capital letters that tell this part of a font from others (FNV-1a).
fn tag(map: &[u8], glyphs: &[(char, Glyph)]) -> String {
    let ids = glyphs.iter().flat_map(|(_, glyph)| glyph.id.to_be_bytes());
    let hash = map
        .iter()
        .copied()
        .chain(ids)
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let letter = |index: u32| char::from(b'A' + u8::try_from(hash / 26_u64.pow(index) % 26).unwrap_or(0));
    (0..6).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::super::text::{INK, Style};
    use super::*;

    #[test]
    fn characters_with_one_look_keep_their_meanings() {
        let mut fonts = Fonts::default();
        let runs = fonts.runs(&Span::new("漢字漢a", Style::new(Face::Regular, 9.0, INK)));
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].1, [0, 1, 0, 2, 0, 1, 0, 3]);
    }

    #[test]
    fn a_font_takes_over_what_another_lacks() {
        let mut fonts = Fonts::default();
        let runs = fonts.runs(&Span::new("aЖb", Style::new(Face::Mono, 10.0, INK)));
        assert_eq!(runs.iter().map(|run| run.0).collect::<Vec<_>>(), [Face::Mono, Face::Regular, Face::Mono]);
        assert!((runs[0].2 - 6.0).abs() < 0.01);
    }

    #[test]
    fn more_characters_than_there_are_numbers_do_no_harm() {
        let mut fonts = Fonts::default();
        let many: String = ('\u{1000}'..='\u{2ffff}').collect();
        fonts.runs(&Span::new(&many, Style::new(Face::Regular, 9.0, INK)));
        let mut refs = Refs::default();
        assert_eq!(fonts.write(&mut Pdf::new(), &mut refs).len(), 1);
    }

    #[test]
    fn the_fonts_can_be_cut() {
        for face in Face::ALL {
            let remapper = GlyphRemapper::new_from_glyphs(&[face.glyph('a').id, face.glyph('é').id]);
            let cut = subsetter::subset(face.bytes(), 0, &remapper).expect("the font can be cut");
            assert!(cut.len() < 5_000, "{}", cut.len());
        }
    }
}

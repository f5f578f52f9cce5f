//! The fonts: which glyph shows a character, and how wide it is.
//!
//! Invariant: every character has a glyph. Where a font lacks one the text
//! font takes its place, and where that lacks it too a replacement is shown.

use std::collections::HashMap;
use std::sync::OnceLock;

/// What stands for a character that no font has.
const REPLACEMENT: char = '\u{fffd}';

/// One of the fonts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Face {
    /// For text and figures. Its digits are equally wide.
    Regular,
    /// For what must be found first.
    Bold,
    /// For queries.
    Mono,
}

/// A character as a font draws it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Glyph {
    /// The font that has it.
    pub face: Face,
    /// Its number there.
    pub id: u16,
    /// How far the next one is (in 1/1000 of the size).
    pub advance: f32,
}

/// What a font says of itself, in 1/1000 of the size.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Metrics {
    pub ascent: f32,
    pub descent: f32,
    pub cap_height: f32,
    pub bounds: [f32; 4],
}

/// A font that was read once.
#[derive(Default)]
struct Loaded {
    glyphs: HashMap<char, (u16, f32)>,
    metrics: Metrics,
}

impl Face {
    pub(super) const ALL: [Face; 3] = [Face::Regular, Face::Bold, Face::Mono];

    /// The font's name in a file.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Face::Regular => "NotoSans-Regular",
            Face::Bold => "NotoSans-Bold",
            Face::Mono => "NotoSansMono-Regular",
        }
    }

    /// The font's file.
    pub(super) const fn bytes(self) -> &'static [u8] {
        match self {
            Face::Regular => include_bytes!("fonts/NotoSans-Regular.ttf"),
            Face::Bold => include_bytes!("fonts/NotoSans-Bold.ttf"),
            Face::Mono => include_bytes!("fonts/NotoSansMono-Regular.ttf"),
        }
    }

    pub(super) fn metrics(self) -> Metrics {
        self.loaded().metrics
    }

    /// The glyph for a character.
    pub(super) fn glyph(self, c: char) -> Glyph {
        let tries = [(self, c), (Face::Regular, c), (Face::Regular, REPLACEMENT)];
        let found = tries.into_iter().find_map(|(face, c)| {
            let &(id, advance) = face.loaded().glyphs.get(&c)?;
            Some(Glyph { face, id, advance })
        });
        found.unwrap_or(Glyph { face: Face::Regular, id: 0, advance: 600.0 })
    }

    fn loaded(self) -> &'static Loaded {
        static LOADED: [OnceLock<Loaded>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
        // The files are part of the program; that they can be read is tested.
        LOADED[self as usize].get_or_init(|| load(self.bytes()).unwrap_or_default())
    }
}

fn load(bytes: &[u8]) -> Option<Loaded> {
    let font = ttf_parser::Face::parse(bytes, 0).ok()?;
    let scale = 1000.0 / f32::from(font.units_per_em());
    let mut glyphs = HashMap::new();
    for table in font.tables().cmap?.subtables {
        if !table.is_unicode() {
            continue;
        }
        table.codepoints(|code| {
            let c = char::from_u32(code);
            let glyph = table.glyph_index(code);
            if let (Some(c), Some(glyph)) = (c, glyph) {
                let advance = f32::from(font.glyph_hor_advance(glyph).unwrap_or(0)) * scale;
                glyphs.insert(c, (glyph.0, advance));
            }
        });
    }
    let bounds = font.global_bounding_box();
    let metrics = Metrics {
        ascent: f32::from(font.ascender()) * scale,
        descent: f32::from(font.descender()) * scale,
        cap_height: f32::from(font.capital_height().unwrap_or(700)) * scale,
        bounds: [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max].map(|edge| f32::from(edge) * scale),
    };
    Some(Loaded { glyphs, metrics })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fonts_cover_the_scripts_of_the_documents() {
        let samples = "Ångström Łódź İstanbul ệ Ἀθῆναι Ωμέγα Київ Ђорђе „…“ – € ₿ ½ \u{2007}\u{fffd}";
        for face in [Face::Regular, Face::Bold] {
            for c in samples.chars() {
                assert_eq!((face.glyph(c).face, face.glyph(c).id == 0), (face, false), "{face:?} {c:?}");
            }
        }
        for c in "SELECT 'é' AS \"ß\" …".chars() {
            assert_eq!(Face::Mono.glyph(c).face, Face::Mono, "{c:?}");
        }
        assert_eq!(Face::Mono.glyph('Ж').face, Face::Regular);
    }

    #[test]
    fn what_no_font_has_is_replaced() {
        let replacement = Face::Regular.glyph(REPLACEMENT);
        for c in ['漢', '🦀', '\u{10ffff}', 'ع'] {
            assert_eq!(Face::Mono.glyph(c), replacement);
        }
    }

    #[test]
    fn digits_are_equally_wide() {
        for face in Face::ALL {
            let widths: Vec<f32> = ('0'..='9').map(|digit| face.glyph(digit).advance).collect();
            assert!(widths.iter().all(|width| *width == widths[0]), "{face:?} {widths:?}");
            assert!(widths[0] > 0.0);
        }
    }
}

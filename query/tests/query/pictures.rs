//! Pages as other programs show them: pictures and text by poppler's
//! `pdftoppm` and `pdftotext`, compared with the files in `tests/golden/pdf`.
//!
//! Pictures are small and grey, and may differ as much as two versions of
//! poppler draw edges differently; a word that is missing or has moved is
//! more than that.

use std::path::{Path, PathBuf};
use std::process::Command;

/// How fine the pictures are (points per inch).
const DPI: &str = "50";
/// Pictures are compared square by square (pixels).
const SQUARE: usize = 8;
/// How much a square may differ on average, of 255.
const SQUARE_MAX: f64 = 24.0;
/// How much a page may differ on average, of 255.
const PAGE_MAX: f64 = 1.0;

/// Whether a program of poppler is there; says so by name if not.
pub fn has(program: &str, test: &str) -> bool {
    let is_there = Command::new(program).arg("-v").output().is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("left out: {test} needs {program} (Debian: poppler-utils)");
    }
    is_there
}

/// The text of a file as it stands on the pages, without the widths of gaps,
/// which depend on the version of poppler.
pub fn text(pdf: &Path) -> String {
    let output = Command::new("pdftotext").args(["-layout", "-enc", "UTF-8"]).arg(pdf).arg("-").output();
    let text = String::from_utf8(output.expect("pdftotext runs").stdout).expect("its output is UTF-8");
    let line =
        |line: &str| line.split("  ").map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
    let lines: Vec<String> = text.replace('\u{c}', "\n---- page ----\n").lines().map(line).collect();
    lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n") + "\n"
}

/// Compares the first pages of a file with their pictures.
pub fn check(name: &str, pdf: &Path, pages_max: usize) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let status = Command::new("pdftoppm")
        .args(["-r", DPI, "-gray", "-png", "-l", &pages_max.to_string()])
        .arg(pdf)
        .arg(folder.path().join("page"))
        .status();
    assert!(status.expect("pdftoppm runs").success());
    let mut drawn: Vec<PathBuf> =
        std::fs::read_dir(folder.path()).expect("it is there").map(|file| file.expect("a file").path()).collect();
    drawn.sort();
    for (index, picture) in drawn.iter().enumerate() {
        let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden/pdf")
            .join(format!("{name}-{}.png", index + 1));
        if std::env::var_os("STEMPOINT_BLESS").is_some_and(|value| value == "1") {
            std::fs::copy(picture, &golden).expect("the picture can be written");
            continue;
        }
        let expected = Picture::read(&golden);
        let actual = Picture::read(picture);
        if let Some(difference) = expected.difference(&actual) {
            panic!(
                "page {} of {name} looks different: {difference}. Compare {} with {}. If the new one is right, run the tests once with STEMPOINT_BLESS=1.",
                index + 1,
                golden.display(),
                pdf.display()
            );
        }
    }
}

/// Grey pixels.
struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    fn read(path: &Path) -> Picture {
        let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a small picture")];
        let info = reader.next_frame(&mut pixels).expect("a whole PNG");
        assert_eq!(info.bit_depth, png::BitDepth::Eight);
        // Some versions of poppler write grey as red, green and blue.
        let pixels = pixels.chunks(info.color_type.samples()).map(|pixel| pixel[0]).collect();
        Picture { width: info.width as usize, height: info.height as usize, pixels }
    }

    /// What is different, if it is more than edges.
    fn difference(&self, other: &Picture) -> Option<String> {
        if (self.width, self.height) != (other.width, other.height) {
            return Some(format!("{}x{} pixels, not {}x{}", other.width, other.height, self.width, self.height));
        }
        let of = |xs: std::ops::Range<usize>, ys: std::ops::Range<usize>| {
            let places = ys.flat_map(|y| xs.clone().map(move |x| y * self.width + x)).collect::<Vec<_>>();
            let sum: u64 = places.iter().map(|&at| u64::from(self.pixels[at].abs_diff(other.pixels[at]))).sum();
            sum as f64 / places.len() as f64
        };
        let page = of(0..self.width, 0..self.height);
        let mut worst = (0.0, (0, 0));
        for y in (0..self.height).step_by(SQUARE) {
            for x in (0..self.width).step_by(SQUARE) {
                let square = of(x..(x + SQUARE).min(self.width), y..(y + SQUARE).min(self.height));
                if square > worst.0 {
                    worst = (square, (x, y));
                }
            }
        }
        let (square, at) = worst;
        (page > PAGE_MAX || square > SQUARE_MAX)
            .then(|| format!("by {page:.2} on average, and by {square:.0} of 255 around pixel {at:?}"))
    }
}

#[test]
fn a_word_that_moves_is_seen() {
    let blank = || Picture { width: 100, height: 100, pixels: vec![255; 10_000] };
    let word = |left: usize| {
        let mut picture = blank();
        for at in (40..44).flat_map(|y| (left..left + 14).map(move |x| y * 100 + x)) {
            picture.pixels[at] = 120;
        }
        picture
    };
    assert_eq!(word(20).difference(&word(20)), None);
    assert!(word(20).difference(&word(26)).is_some());
    assert!(word(20).difference(&blank()).is_some());
}

//! Reading the files of `tests/bad_input`; their format is described in the
//! README there.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File<C> {
    #[serde(skip)]
    pub name: String,
    pub entrance: String,
    #[expect(dead_code, reason = "for those who read the file")]
    about: String,
    /// Good input by name, which cases change.
    #[serde(default)]
    pub base: BTreeMap<String, String>,
    /// Pieces of recipes by name.
    #[serde(default)]
    pub recipes: BTreeMap<String, String>,
    #[serde(rename = "case")]
    pub cases: Vec<C>,
}

/// The name of a file, its entrance, and the names of its cases.
pub struct Outline {
    pub name: String,
    pub entrance: String,
    pub cases: Vec<String>,
}

/// What each file holds.
pub fn outlines() -> Vec<Outline> {
    let name_of = |case: &toml::Table| case.get("name").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    texts()
        .into_iter()
        .map(|(name, text)| {
            let file: File<toml::Table> = parse(&name, &text);
            Outline { name, entrance: file.entrance, cases: file.cases.iter().map(name_of).collect() }
        })
        .collect()
}

/// All files for an entrance.
pub fn files<C: DeserializeOwned>(entrance: &str) -> Vec<File<C>> {
    let names: Vec<String> =
        outlines().into_iter().filter(|file| file.entrance == entrance).map(|file| file.name).collect();
    assert!(!names.is_empty(), "there are no cases for {entrance}");
    let files = texts().into_iter().filter(|(name, _)| names.contains(name));
    files.map(|(name, text)| File { name: name.clone(), ..parse(&name, &text) }).collect()
}

fn texts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_input");
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the folder of cases can be read") {
        let path = entry.expect("the folder of cases can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".toml") {
            texts.push((name, std::fs::read_to_string(&path).expect("a file of cases can be read")));
        }
    }
    texts.sort();
    texts
}

fn parse<C: DeserializeOwned>(name: &str, text: &str) -> File<C> {
    toml::from_str(text).unwrap_or_else(|error| panic!("tests/bad_input/{name}: {error}"))
}

impl<C> File<C> {
    /// A case's input: its own text, or a base with one thing changed.
    pub fn input(&self, case: &str, base: Option<&str>, change: Option<&[String; 2]>, text: Option<&str>) -> String {
        match (text, change) {
            (Some(text), None) => text.to_owned(),
            (None, Some([from, to])) => {
                let base = base.or_else(|| self.base.keys().next().map(String::as_str)).unwrap_or_default();
                let base = self.base.get(base).unwrap_or_else(|| panic!("{}, {case}: there is no base", self.name));
                assert_eq!(base.matches(from.as_str()).count(), 1, "{}, {case}: {from} stands once", self.name);
                base.replacen(from, to, 1)
            }
            _ => panic!("{}, {case}: give either a text or a change", self.name),
        }
    }
}

/// Replaces `<<text*1000>>` by that many texts, `<<hex:ff>>` by bytes and
/// `<<case>>` by the number of the case, so that large and unprintable input
/// can be written down.
pub fn expand(text: &str, number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<<") {
        let (inside, after) = after.split_once(">>").unwrap_or_else(|| panic!("{text}: << without >>"));
        bytes.extend_from_slice(before.as_bytes());
        match (inside, inside.strip_prefix("hex:"), inside.rsplit_once('*')) {
            ("case", _, _) => bytes.extend_from_slice(number.to_string().as_bytes()),
            (_, Some(hex), _) => bytes.extend(unhex(hex)),
            (_, None, Some((part, times))) => {
                let times = times.parse().unwrap_or_else(|_| panic!("{times:?} is not a number of times"));
                bytes.extend_from_slice(part.repeat(times).as_bytes());
            }
            _ => panic!("<<{inside}>> is not understood"),
        }
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Bytes from their hexadecimal form.
pub fn unhex(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or_else(|| panic!("{hex} is not hexadecimal")) as u8;
    assert!(hex.len().is_multiple_of(2), "{hex} has half a byte");
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The cases that went wrong, so that one run shows all of them.
#[derive(Default)]
pub struct Wrong(Vec<String>);

impl Wrong {
    pub fn add(&mut self, file: &str, case: &str, problem: String) {
        self.0.push(format!("{file} | {case} | {problem}"));
    }

    /// Notes a difference.
    pub fn unless_equal(&mut self, file: &str, case: &str, expected: &str, found: &str) {
        if expected != found {
            self.add(file, case, format!("expected {expected:?}, found {found:?}"));
        }
    }

    /// Notes a text that is missing in what was said.
    pub fn unless_contained(&mut self, file: &str, case: &str, expected: &str, found: &str) {
        if expected.is_empty() || !found.contains(expected) {
            self.add(file, case, format!("expected {expected:?}, found {found:?}"));
        }
    }

    pub fn must_be_none(self) {
        assert!(self.0.is_empty(), "{} cases went wrong:\n{}", self.0.len(), self.0.join("\n"));
    }
}

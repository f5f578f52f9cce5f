//! Protobuf bytes from a recipe that a person can read and bend.
//!
//! `1: {"abc"}` is field 1 with three bytes and `5: {1: 7}` a message within
//! one; `4: 7` is a number, `4: 7z` the same in zigzag, `4: 7i64` and `4: 7i32`
//! fixed ones. A tag alone with the wire type of one's choice is `5:2`, and
//! what follows it then stands there as it is: numbers, texts, and bytes as
//! `` `80ff` ``. `$name` is another recipe.

use std::collections::BTreeMap;

use super::cases::{expand, unhex};

/// Makes the bytes of a recipe.
pub fn assemble(recipe: &str, recipes: &BTreeMap<String, String>, number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut assembler = Assembler { recipe, rest: recipe, recipes, number };
    assembler.sequence(&mut bytes, false);
    bytes
}

struct Assembler<'a> {
    recipe: &'a str,
    rest: &'a str,
    recipes: &'a BTreeMap<String, String>,
    /// The number of the case.
    number: usize,
}

impl<'a> Assembler<'a> {
    /// Everything up to the end or the closing brace.
    fn sequence(&mut self, out: &mut Vec<u8>, in_braces: bool) {
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.chars().next() {
                None if in_braces => self.wrong("a brace is not closed"),
                None => return,
                Some('}') if in_braces => {
                    self.rest = &self.rest[1..];
                    return;
                }
                Some('{') => {
                    self.rest = &self.rest[1..];
                    let mut inner = Vec::new();
                    self.sequence(&mut inner, true);
                    varint(out, inner.len() as u64);
                    out.extend(inner);
                }
                Some('"') => out.extend(expand(self.quoted('"'), self.number)),
                Some('`') => out.extend(unhex(self.quoted('`'))),
                Some('$') => {
                    self.rest = &self.rest[1..];
                    let name = self.word();
                    let Some(recipe) = self.recipes.get(name) else { self.wrong(&format!("there is no ${name}")) };
                    out.extend(assemble(recipe, self.recipes, self.number));
                }
                Some(_) => self.tag_or_number(out),
            }
        }
    }

    fn tag_or_number(&mut self, out: &mut Vec<u8>) {
        let word = self.word();
        if word.is_empty() {
            self.wrong("this is not understood");
        }
        let Some(rest) = self.rest.strip_prefix(':') else { return self.value(word, out) };
        self.rest = rest;
        let given = self.word();
        let wire_type = if given.is_empty() { self.wire_type_of_what_follows() } else { self.parse(given) };
        varint(out, self.parse(word) << 3 | wire_type);
    }

    fn wire_type_of_what_follows(&self) -> u64 {
        let next = self.rest.trim_start();
        let word: String = next.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        match next.chars().next() {
            Some('{') => 2,
            _ if word.ends_with("i64") => 1,
            _ if word.ends_with("i32") => 5,
            _ => 0,
        }
    }

    fn value(&self, word: &str, out: &mut Vec<u8>) {
        if let Some(number) = word.strip_suffix("i64") {
            out.extend((self.signed(number) as u64).to_le_bytes());
        } else if let Some(number) = word.strip_suffix("i32") {
            out.extend((self.signed(number) as u32).to_le_bytes());
        } else if let Some(number) = word.strip_suffix('z') {
            let number = self.signed(number) as i64;
            varint(out, ((number << 1) ^ (number >> 63)) as u64);
        } else {
            varint(out, self.signed(word) as u64);
        }
    }

    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn quoted(&mut self, quote: char) -> &'a str {
        let Some((text, rest)) = self.rest[1..].split_once(quote) else { self.wrong("a quote is not closed") };
        self.rest = rest;
        text
    }

    fn parse(&self, word: &str) -> u64 {
        word.parse().unwrap_or_else(|_| self.wrong(&format!("{word:?} is not a number")))
    }

    fn signed(&self, word: &str) -> i128 {
        word.parse().unwrap_or_else(|_| self.wrong(&format!("{word:?} is not a number")))
    }

    fn wrong(&self, problem: &str) -> ! {
        panic!("the recipe {:?} is wrong before {:?}: {problem}", self.recipe, self.rest)
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The recipes against the encoder of others.
#[test]
fn recipes_are_protobuf() {
    use prost::Message;
    use stempoint_schemas::proto;

    let beat = proto::NodeHeartbeat {
        node: Some("n".to_owned()),
        status: Some("ready".to_owned()),
        temperature_mc: Some(-40_000),
        ..proto::NodeHeartbeat::default()
    };
    let event = proto::Event {
        id: Some("x-7".to_owned()),
        time_us: Some(-1),
        payload: Some(proto::event::Payload::Heartbeat(beat)),
        ..proto::Event::default()
    };
    let recipes = BTreeMap::from([("beat".to_owned(), "1: {\"n\"} 2: {\"ready\"} 6: -40000z".to_owned())]);
    let assembled = assemble(r#"1: {"x-<<case>>"} 4: -1i64 7: {$beat}"#, &recipes, 7);
    assert_eq!(assembled, event.encode_to_vec());
    assert_eq!(assemble("1:2 3 `ff00` 300", &recipes, 0), [0x0a, 3, 0xff, 0, 0xac, 2]);
}

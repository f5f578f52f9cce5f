//! A column of texts under construction that keeps each different text once.
//!
//! Invariant: the column gives back text for text what was appended; its
//! dictionary has each of them once, in the order of their first rows.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, StringArray};
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use hashbrown::HashTable;

use super::numbers::Numbers;

/// A dictionary column of texts. It is much of a row's work, so it hashes
/// with few instructions.
#[derive(Default)]
pub(super) struct Texts {
    known: HashTable<Known>,
    hasher: foldhash::fast::RandomState,
    /// The different texts one after the other.
    texts: String,
    keys: Numbers<Int32Type>,
    /// The last row's text: many a column says the same for long.
    last: Option<Known>,
}

/// Where a text stands in the dictionary.
#[derive(Clone, Copy)]
struct Known {
    key: i32,
    start: u32,
    end: u32,
}

impl Known {
    fn text<'a>(&self, texts: &'a str) -> &'a [u8] {
        &texts.as_bytes()[self.start as usize..self.end as usize]
    }
}

impl Texts {
    pub(super) fn append(&mut self, text: &str) {
        let key = self.key(text);
        self.keys.append(key);
    }

    pub(super) fn append_option(&mut self, text: Option<&str>) {
        let key = text.map(|text| self.key(text));
        self.keys.append_option(key);
    }

    fn key(&mut self, text: &str) -> i32 {
        if let Some(last) = self.last
            && is_same(last.text(&self.texts), text.as_bytes())
        {
            return last.key;
        }
        let found = self.find(text);
        self.last = Some(found);
        found.key
    }

    /// Where a text stands in the dictionary, from now on if it did not.
    fn find(&mut self, text: &str) -> Known {
        let Texts { known, hasher, texts, .. } = self;
        let hash = hasher.hash_one(text.as_bytes());
        if let Some(known) = known.find(hash, |known| is_same(known.text(texts), text.as_bytes())) {
            return *known;
        }
        let (key, start) = (known.len() as i32, texts.len() as u32);
        texts.push_str(text);
        let added = Known { key, start, end: texts.len() as u32 };
        known.insert_unique(hash, added, |known| hasher.hash_one(known.text(texts)));
        added
    }

    /// The column; what is appended from now on belongs to the next one.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let keys = self.keys.finish_typed()?;
        let mut ends: Vec<_> = self.known.drain().map(|known| (known.start, known.end)).collect();
        ends.sort_unstable();
        let texts = ends.iter().map(|&(start, end)| &self.texts[start as usize..end as usize]);
        let values = StringArray::from_iter_values(texts);
        self.texts.clear();
        self.last = None;
        Ok(Arc::new(DictionaryArray::try_new(keys, Arc::new(values))?))
    }
}

/// Whether two texts are the same. Most have at most 32 bytes, whose two ends,
/// which overlap, are compared without a call.
#[inline]
fn is_same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    match left.len() {
        33.. => left == right,
        16.. => ends::<16>(left) == ends::<16>(right),
        8.. => ends::<8>(left) == ends::<8>(right),
        4.. => ends::<4>(left) == ends::<4>(right),
        _ => left.iter().eq(right),
    }
}

#[inline]
fn ends<const N: usize>(bytes: &[u8]) -> (Option<&[u8; N]>, Option<&[u8; N]>) {
    (bytes.first_chunk(), bytes.last_chunk())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray};
    use proptest::prelude::*;

    /// Texts of all lengths around those that are compared in another way,
    /// against the same with one byte changed at each place.
    #[test]
    fn texts_that_differ_anywhere_are_not_the_same() {
        for length in 0..70 {
            let text = vec![b'a'; length];
            assert!(is_same(&text, &text.clone()), "{length} bytes");
            assert!(!is_same(&text, &vec![b'a'; length + 1]), "{length} bytes and one more");
            for place in 0..length {
                let mut other = text.clone();
                other[place] = b'b';
                assert!(!is_same(&text, &other), "{length} bytes, another one at {place}");
            }
        }
    }

    proptest! {
        /// Two columns one after the other from the same memory, against the
        /// texts themselves and a list of the different ones.
        #[test]
        fn a_column_gives_back_what_was_appended(
            columns in prop::collection::vec(prop::collection::vec(prop::option::of("[a-cé]{0,3}([ab]{4,40})?"), 0..300), 2)
        ) {
            let mut texts = Texts::default();
            for column in columns {
                let mut different: Vec<&String> = Vec::new();
                for text in &column {
                    texts.append_option(text.as_deref());
                    different.extend(text.iter().filter(|text| !different.contains(text)).collect::<Vec<_>>());
                }
                let finished = texts.finish().expect("a column");
                let dictionary = finished.as_dictionary::<Int32Type>();
                let values = dictionary.values().as_string::<i32>();
                let read: Vec<Option<String>> =
                    dictionary.keys_iter().map(|key| key.map(|key| values.value(key).to_owned())).collect();
                prop_assert_eq!(&read, &column);
                prop_assert_eq!(values.iter().map(|text| text.unwrap_or("none")).collect::<Vec<_>>(), different);
                prop_assert_eq!(dictionary.null_count(), column.iter().filter(|text| text.is_none()).count());
            }
        }
    }
}

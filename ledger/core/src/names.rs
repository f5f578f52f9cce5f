//! Interned names: customers, providers, models and the like as small
//! numbers, so that a million charges do not carry a million texts.
//!
//! Invariant: a [`Name`] is only meaningful with the [`Names`] that gave it,
//! and a text has one number in it. [`Name::NONE`] stands for no text.

use hashbrown::HashMap;

/// A number that stands for a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(u32);

impl Name {
    /// No text.
    pub const NONE: Name = Name(0);

    /// Whether there is no text.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The number itself, for keys made of several.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The name of a number that [`Name::number`] gave.
    pub const fn from_number(number: u32) -> Name {
        Name(number)
    }

    /// The number, for arrays indexed by name; [`Name::NONE`] is 0.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The texts behind the numbers.
#[derive(Debug, Clone, Default)]
pub struct Names {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32, foldhash::fast::RandomState>,
}

impl Names {
    /// The number of a text, which is learned if it is new.
    pub fn intern(&mut self, text: &str) -> Name {
        if let Some(&number) = self.numbers.get(text) {
            return Name(number);
        }
        self.texts.push(text.into());
        let number = self.texts.len() as u32;
        self.numbers.insert(text.into(), number);
        Name(number)
    }

    /// The number of a text where there is one.
    pub fn intern_some(&mut self, text: Option<&str>) -> Name {
        text.map_or(Name::NONE, |text| self.intern(text))
    }

    /// The number of a text that is known already.
    pub fn find(&self, text: &str) -> Option<Name> {
        self.numbers.get(text).map(|&number| Name(number))
    }

    /// The text; `None` for [`Name::NONE`].
    pub fn text(&self, name: Name) -> Option<&str> {
        name.index().checked_sub(1).and_then(|index| self.texts.get(index)).map(AsRef::as_ref)
    }

    /// The text that was learned at a position, from 0 in order.
    pub fn texts(&self, position: usize) -> &str {
        self.texts.get(position).map_or("", AsRef::as_ref)
    }

    /// Learns all texts of others; gives for each of their names (index 0 is
    /// [`Name::NONE`]) the one here.
    pub fn learn(&mut self, others: &Names) -> Vec<Name> {
        std::iter::once(Name::NONE).chain(others.texts.iter().map(|text| self.intern(text))).collect()
    }

    /// For each name (index 0 is [`Name::NONE`]) its position in the order of
    /// the texts, so that an order by names does not depend on when they were
    /// learned.
    pub fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<usize> = (0..self.texts.len()).collect();
        order.sort_unstable_by(|&a, &b| self.texts[a].cmp(&self.texts[b]));
        let mut ranks = vec![0; self.texts.len() + 1];
        for (rank, index) in order.into_iter().enumerate() {
            ranks[index + 1] = rank as u32 + 1;
        }
        ranks
    }

    /// How many texts are known.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

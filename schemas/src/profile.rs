//! What is known of a customer or a provider as a person: the only personal
//! data that there is. Everywhere else a party is a pseudonym.
//!
//! Invariant: no value of a profile is in an error, a log line or what
//! `Debug` prints.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use thiserror::Error;

use crate::event::{TEXT_BYTES_MAX, is_plain_text};
use crate::tables::{COMMENT, ENCODING};

/// The name of the table, also its folder.
pub const TABLE: &str = "profiles";
/// What a row is.
pub const TABLE_COMMENT: &str = "One row per party of which something is known as a person. It is changed in place and no part of the books: the newest version counts, and older ones are removed at once.";

/// Longest address in bytes.
const ADDRESS_BYTES_MAX: usize = 2048;

/// One thing that is known of a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// The name on documents.
    Name,
    /// The postal address, in lines.
    Address,
    /// The tax id.
    TaxId,
    /// Where documents are sent to.
    Email,
}

impl Item {
    /// All of them, in the order of their columns.
    pub const ALL: [Item; 4] = [Item::Name, Item::Address, Item::TaxId, Item::Email];

    /// The name in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Item::Name => "name",
            Item::Address => "address",
            Item::TaxId => "tax_id",
            Item::Email => "email",
        }
    }

    const fn comment(self) -> &'static str {
        match self {
            Item::Name => "The name on invoices and statements; null where it is not known.",
            Item::Address => "The postal address, in lines; null where it is not known.",
            Item::TaxId => "The tax id; null where it is not known.",
            Item::Email => "Where documents are sent to; null where it is not known.",
        }
    }
}

/// Why a value cannot be in a profile. It names the party and never the value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProfileError {
    /// The party is no pseudonym that usage could have.
    #[error("the party must be a text of 1 to {TEXT_BYTES_MAX} bytes without control characters")]
    Party,
    /// A value is too long.
    #[error("the {item} of {party:?} has {bytes} bytes, and at most {bytes_max} fit", item = item.name())]
    TooLong {
        /// Whose.
        party: String,
        /// Which item.
        item: Item,
        /// Its length.
        bytes: usize,
        /// What fits.
        bytes_max: usize,
    },
    /// A value has characters that no document can show.
    #[error("the {item} of {party:?} has control characters", item = item.name())]
    Control {
        /// Whose.
        party: String,
        /// Which item.
        item: Item,
    },
    /// Mail cannot be sent there.
    #[error("the email of {party:?} is no address: it must have one @ and no spaces")]
    Email {
        /// Whose.
        party: String,
    },
}

/// What is known of one party.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Profile([Option<String>; Item::ALL.len()]);

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = Item::ALL.into_iter().filter(|item| self.get(*item).is_some()).map(Item::name).collect();
        f.debug_tuple("Profile").field(&known).finish()
    }
}

impl Profile {
    /// One item.
    pub fn get(&self, item: Item) -> Option<&str> {
        self.0[item as usize].as_deref()
    }

    /// The lines of the address.
    pub fn address_lines(&self) -> impl Iterator<Item = &str> {
        self.get(Item::Address).into_iter().flat_map(str::lines)
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Takes up an item as it is stored.
    pub fn restore(&mut self, item: Item, value: &str) {
        self.0[item as usize] = Some(value.to_owned());
    }

    /// Takes over what a change says; the rest stays.
    pub fn apply(&mut self, change: &Change) {
        for (item, value) in &change.items {
            self.0[*item as usize] = value.clone();
        }
    }
}

/// What is to be known of a party from now on.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    party: String,
    items: Vec<(Item, Option<String>)>,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").field("party", &self.party).finish_non_exhaustive()
    }
}

impl Change {
    /// No change yet.
    ///
    /// # Errors
    /// [`ProfileError::Party`].
    pub fn of(party: &str) -> Result<Change, ProfileError> {
        if !is_plain_text(party.as_bytes()) {
            return Err(ProfileError::Party);
        }
        Ok(Change { party: party.to_owned(), items: Vec::new() })
    }

    /// Whose profile it is.
    pub fn party(&self) -> &str {
        &self.party
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Says one item; nothing but spaces takes it away.
    ///
    /// # Errors
    /// [`ProfileError`] for a value that cannot be shown on a document.
    pub fn with(mut self, item: Item, value: &str) -> Result<Change, ProfileError> {
        let value = value.trim().replace("\r\n", "\n");
        let party = || self.party.clone();
        let bytes_max = if item == Item::Address { ADDRESS_BYTES_MAX } else { TEXT_BYTES_MAX };
        if value.len() > bytes_max {
            return Err(ProfileError::TooLong { party: party(), item, bytes: value.len(), bytes_max });
        }
        let may_be = |c: char| !c.is_control() || (item == Item::Address && c == '\n');
        if !value.chars().all(may_be) {
            return Err(ProfileError::Control { party: party(), item });
        }
        let is_address = value.matches('@').count() == 1 && !value.contains(char::is_whitespace);
        if item == Item::Email && !value.is_empty() && !is_address {
            return Err(ProfileError::Email { party: party() });
        }
        self.items.push((item, Some(value).filter(|value| !value.is_empty())));
        Ok(self)
    }
}

/// The columns of the table.
pub fn schema() -> SchemaRef {
    let field = |name: &str, nullable, comment: &str| {
        let metadata = [(COMMENT, comment), (ENCODING, "plain")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        Field::new(name, DataType::Utf8, nullable).with_metadata(metadata.into())
    };
    let party = field("party", false, "The customer or the provider: its pseudonym in the books.");
    let items = Item::ALL.map(|item| field(item.name(), true, item.comment()));
    Arc::new(Schema::new([party].into_iter().chain(items).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> Change {
        Change::of("acme").unwrap()
    }

    #[test]
    fn values_are_checked_and_never_shown() {
        let secret = "Jane Secret";
        let long = format!("{secret}{}", "x".repeat(TEXT_BYTES_MAX));
        let refused = [
            change().with(Item::Name, &format!("{secret}\nSecond")),
            change().with(Item::Name, &long),
            change().with(Item::Email, secret),
            change().with(Item::Email, "jane@secret@x"),
            change().with(Item::Address, &format!("{secret}\tx")),
        ];
        for error in refused.map(Result::unwrap_err) {
            let said = format!("{error} {error:?}");
            assert!(!said.to_lowercase().contains("secret") && said.contains("acme"), "{said}");
        }
        assert_eq!(Change::of(""), Err(ProfileError::Party));
        let full = change().with(Item::Name, secret).unwrap();
        let mut profile = Profile::default();
        profile.apply(&full);
        assert_eq!(format!("{profile:?} {full:?}"), "Profile([\"name\"]) Change { party: \"acme\", .. }");
    }

    #[test]
    fn a_change_leaves_what_it_does_not_say() {
        let mut profile = Profile::default();
        profile.apply(&change().with(Item::Name, " Acme ").unwrap().with(Item::Address, "Way 1\r\nTown").unwrap());
        profile.apply(&change().with(Item::TaxId, "X1").unwrap());
        assert_eq!(profile.get(Item::Name), Some("Acme"));
        assert_eq!(profile.address_lines().collect::<Vec<_>>(), ["Way 1", "Town"]);
        profile.apply(&change().with(Item::Name, "").unwrap().with(Item::Address, " ").unwrap());
        assert_eq!((profile.get(Item::Name), profile.get(Item::TaxId)), (None, Some("X1")));
        profile.apply(&change().with(Item::TaxId, "").unwrap());
        assert!(profile.is_empty());
    }
}

//! The head of the books: a ledger version and its hash, short enough to be
//! published or written down. It stands for every row that was ever visible.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::commit::Commit;
use crate::decimal::shorten;
use crate::hash::Hash;
use crate::hex::{self, Hex};

/// A ledger version and the hash of its row in `commits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The ledger version.
    pub version: i64,
    /// The hash of its row.
    pub hash: Hex<Hash>,
}

/// A text that is no head.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no head: it must be VERSION:HASH as `stempoint head` prints it, or the hash alone (64 hexadecimal digits)"
)]
pub struct HeadError(pub String);

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.version, self.hash)
    }
}

impl From<&Commit> for Head {
    fn from(commit: &Commit) -> Head {
        Head { version: commit.version, hash: Hex(commit.hash()) }
    }
}

/// A head that somebody published, where the version may have been left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The ledger version.
    pub version: Option<i64>,
    /// The hash.
    pub hash: Hash,
}

impl Published {
    /// Reads `VERSION:HASH`, `HASH`, or the JSON of a [`Head`]. People may
    /// have typed it, so capital letters and spaces around it do not matter.
    pub fn parse(text: &str) -> Result<Published, HeadError> {
        let text = text.trim();
        if let Ok(head) = serde_json::from_str::<Head>(text) {
            return Ok(Published { version: Some(head.version), hash: head.hash.0 });
        }
        let error = || HeadError(shorten(text));
        let (version, digits) = match text.split_once(':') {
            Some((version, digits)) => (Some(version.trim().parse().map_err(|_| error())?), digits),
            None => (None, text),
        };
        let bytes = hex::parse(&digits.trim().to_ascii_lowercase()).ok_or_else(error)?;
        Ok(Published { version, hash: Hash::try_from(bytes).map_err(|_| error())? })
    }

    /// Whether this is that head.
    pub fn is(&self, head: &Head) -> bool {
        self.hash == head.hash.0 && self.version.is_none_or(|version| version == head.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_can_be_read_in_every_form_in_which_it_is_published() {
        let head = Head { version: 42, hash: Hex([0xab; 32]) };
        let json = serde_json::to_string(&head).unwrap();
        for text in [head.to_string(), head.hash.to_string(), json, format!(" 42: {}\n", "AB".repeat(32))] {
            assert!(Published::parse(&text).unwrap().is(&head), "{text}");
        }
        let other = format!("43:{}", head.hash);
        assert!(!Published::parse(&other).unwrap().is(&head));
        for wrong in ["", "42:", "ab", "x:ab", &"g".repeat(64), &format!("42:{}0", head.hash), "{\"version\":42}"] {
            assert!(Published::parse(wrong).is_err(), "{wrong}");
        }
    }
}

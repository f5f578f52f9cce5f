//! Bytes as lower-case hexadecimal text in JSON.
//!
//! Invariant: every value has one text, so that no byte of a text can change
//! unnoticed: capital letters are refused.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hash;

/// Bytes that are written as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hex<T>(pub T);

impl<T: AsRef<[u8]>> fmt::Display for Hex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hash::hex(self.0.as_ref()))
    }
}

impl<T: AsRef<[u8]>> fmt::Debug for Hex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The bytes of a text of lower-case hexadecimal digits.
pub fn parse(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    rest.is_empty().then(|| bytes.collect()).flatten()
}

impl<T: AsRef<[u8]>> Serialize for Hex<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: TryFrom<Vec<u8>>> Deserialize<'de> for Hex<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hex<T>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = parse(&text).ok_or_else(|| D::Error::custom("a text must be lower-case hexadecimal digits"))?;
        let length = bytes.len();
        T::try_from(bytes).map(Hex).map_err(|_| D::Error::custom(format!("a hash has 32 bytes, not {length}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_one_text() {
        assert_eq!(parse("00ff7a"), Some(vec![0, 255, 0x7a]));
        for wrong in ["0", "0F", "zz", "0 ", "é0"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        let back: Hex<[u8; 32]> = serde_json::from_str(&serde_json::to_string(&Hex([7; 32])).unwrap()).unwrap();
        assert_eq!(back, Hex([7; 32]));
        assert!(serde_json::from_str::<Hex<[u8; 32]>>("\"00\"").is_err());
    }
}

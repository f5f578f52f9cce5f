//! Reads protobuf fields one by one from a byte slice.
//!
//! Invariant: no input makes it panic or read outside the slice; it notes
//! when the bytes are legal but not canonical.

use crate::event::{Reason, Refusal};

/// A field's value as it stands on the wire.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// Walks over the fields of one message.
pub struct Reader<'a> {
    /// What the message is, for those who read a refusal.
    message: &'static str,
    bytes: &'a [u8],
    at: usize,
    last: u32,
    seen: u64,
    /// Whether everything read so far is as `encode` would write it.
    pub canonical: bool,
}

/// What is wrong with a number on the wire.
enum BadNumber {
    Cut,
    TooLong,
}

impl<'a> Reader<'a> {
    pub fn new(message: &'static str, bytes: &'a [u8]) -> Reader<'a> {
        Reader { message, bytes, at: 0, last: 0, seen: 0, canonical: true }
    }

    /// The next field's number and value; `None` at the end.
    #[inline(always)]
    pub fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Refusal> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let tag = self.varint().map_err(|bad| self.bad_number("a field's number", &bad))?;
        let number = u32::try_from(tag >> 3).unwrap_or(0);
        if number == 0 {
            return Err(self.malformed("has a field with the number 0 or one that is too large"));
        }
        if number <= self.last {
            self.canonical = false;
        }
        self.last = number;
        if number < 64 {
            if self.seen & (1 << number) != 0 {
                return Err(self.malformed(&format!("has field {number} twice")));
            }
            self.seen |= 1 << number;
        }
        let value = match tag & 7 {
            0 => Value::Varint(self.number(number)?),
            1 => {
                let raw = self.take(number, 8)?;
                let mut le = [0; 8];
                le.copy_from_slice(raw);
                Value::Fixed64(u64::from_le_bytes(le))
            }
            2 => {
                // A length that no memory could hold is behind the end too.
                let length = usize::try_from(self.number(number)?).unwrap_or(usize::MAX);
                Value::Bytes(self.take(number, length)?)
            }
            5 => {
                self.take(number, 4)?;
                Value::Fixed32
            }
            other => {
                return Err(self.malformed(&format!("has field {number} with wire type {other}, which is not used")));
            }
        };
        Ok(Some((number, value)))
    }

    #[inline(always)]
    fn take(&mut self, number: u32, length: usize) -> Result<&'a [u8], Refusal> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else { return Err(self.malformed(&format!("ends in the middle of field {number}"))) };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    #[inline(always)]
    fn number(&mut self, number: u32) -> Result<u64, Refusal> {
        self.varint().map_err(|bad| self.bad_number(&format!("field {number}"), &bad))
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, BadNumber> {
        if let Some(&first) = self.bytes.get(self.at)
            && first < 0x80
        {
            self.at += 1;
            return Ok(u64::from(first));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, BadNumber> {
        let mut value = 0u64;
        for index in 0..10 {
            let byte = *self.bytes.get(self.at).ok_or(BadNumber::Cut)?;
            self.at += 1;
            if index == 9 && byte > 1 {
                return Err(BadNumber::TooLong);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                if byte == 0 && index > 0 {
                    self.canonical = false;
                }
                return Ok(value);
            }
        }
        Err(BadNumber::TooLong)
    }

    #[cold]
    fn malformed(&self, problem: &str) -> Refusal {
        Refusal::new(Reason::Malformed, format!("{} {problem}", self.message))
    }

    #[cold]
    fn bad_number(&self, place: &str, bad: &BadNumber) -> Refusal {
        match bad {
            BadNumber::Cut => self.malformed(&format!("ends in the middle of {place}")),
            BadNumber::TooLong => self.malformed(&format!("has more than 64 bits in {place}")),
        }
    }
}

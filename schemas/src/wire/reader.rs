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
    bytes: &'a [u8],
    at: usize,
    last: u32,
    seen: u64,
    /// Whether everything read so far is as `encode` would write it.
    pub canonical: bool,
}

#[cold]
fn malformed(what: &str) -> Refusal {
    Refusal::new(Reason::Malformed, what)
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0, last: 0, seen: 0, canonical: true }
    }

    /// The next field's number and value; `None` at the end.
    #[inline]
    pub fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Refusal> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).unwrap_or(0);
        if number == 0 {
            return Err(malformed("a field has the number 0 or one that is too large"));
        }
        if number <= self.last {
            self.canonical = false;
        }
        self.last = number;
        if number < 64 {
            if self.seen & (1 << number) != 0 {
                return Err(malformed("a field stands there twice"));
            }
            self.seen |= 1 << number;
        }
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => {
                let raw = self.take(8)?;
                let mut le = [0; 8];
                le.copy_from_slice(raw);
                Value::Fixed64(u64::from_le_bytes(le))
            }
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| malformed("a length is too large"))?;
                Value::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Value::Fixed32
            }
            _ => return Err(malformed("a field has a wire type that does not exist")),
        };
        Ok(Some((number, value)))
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Refusal> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else { return Err(malformed("the message ends in the middle of a field")) };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Refusal> {
        if let Some(&first) = self.bytes.get(self.at)
            && first < 0x80
        {
            self.at += 1;
            return Ok(u64::from(first));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, Refusal> {
        let mut value = 0u64;
        for index in 0..10 {
            let Some(&byte) = self.bytes.get(self.at) else {
                return Err(malformed("the message ends in the middle of a number"));
            };
            self.at += 1;
            if index == 9 && byte > 1 {
                return Err(malformed("a number has more than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                if byte == 0 && index > 0 {
                    self.canonical = false;
                }
                return Ok(value);
            }
        }
        Err(malformed("a number has more than 64 bits"))
    }
}

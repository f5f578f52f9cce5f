//! From the canonical bytes of a row that settlement wrote back to its values:
//! the other direction of [`crate::canonical`].
//!
//! Invariant: bytes that no row of the table has are an error.

use serde_json::Value;

use super::{Content, ProofError};
use crate::decimal::{self, shorten};
use crate::hash::hex;
use crate::tables::{Column, Kind, SETTLEMENT, Table};
use crate::time::Instant;

/// One of settlement's tables.
pub(super) fn table(name: &str) -> Result<&'static Table, ProofError> {
    let unknown = || ProofError::row("table", format!("{:?} is none of settlement's", shorten(name)));
    SETTLEMENT.into_iter().find(|table| table.name == name).ok_or_else(unknown)
}

/// The offset of a row's control event, and its values.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<(u64, Content), ProofError> {
    let mut rest = bytes;
    let mut content = Content::default();
    for column in table(name)?.columns {
        let value = value(column, &mut rest)
            .ok_or_else(|| ProofError::row("bytes", format!("cannot be read as the column {}", column.name)))?;
        content.put(column.name, value);
    }
    if !rest.is_empty() {
        return Err(ProofError::row("bytes", format!("have {} more than a row of {name}", rest.len())));
    }
    let offset = content.0.first().and_then(|(_, offset)| offset.as_u64());
    Ok((offset.ok_or_else(|| ProofError::row("bytes", "have no offset"))?, content))
}

fn value(column: &Column, rest: &mut &[u8]) -> Option<Value> {
    match array::<1>(rest)? {
        [0] if column.nullable => return Some(Value::Null),
        [1] => {}
        _ => return None,
    }
    Some(match column.kind {
        Kind::Int => i32::from_le_bytes(array(rest)?).into(),
        Kind::Long => i64::from_le_bytes(array(rest)?).into(),
        Kind::Time => Instant::from_us(i64::from_le_bytes(array(rest)?))?.to_string().into(),
        Kind::Decimal(_, scale) => {
            decimal::format(i128::from_le_bytes(array(rest)?), u32::try_from(scale).ok()?).into()
        }
        Kind::Bool => match array(rest)? {
            [0] => false.into(),
            [1] => true.into(),
            _ => return None,
        },
        Kind::Text => std::str::from_utf8(sized(rest)?).ok()?.into(),
        Kind::Bytes => hex(sized(rest)?).into(),
        Kind::Shards => return None,
    })
}

fn array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

fn sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::from_le_bytes(array(rest)?)).ok()?;
    let (first, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(first)
}

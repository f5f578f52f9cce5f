//! `POST /internal/append/{topic}`: records as they are, from the other
//! commands on this machine.
//!
//! The body is a row of records: length of the key, length of the value (both
//! 32 bits, little endian), key, value. The answer has one line per partition
//! that took any: the partition, a colon, and the offset after the last.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use stempoint_ingest::log::{Batch, Position, Topic};
use stempoint_schemas::watermark::Watermarks;

use crate::body::Whole;
use crate::events::submit;
use crate::problem::Problem;
use crate::server::Api;

/// The largest body that is taken, in bytes: a whole batch with its lengths.
pub const BODY_BYTES_MAX: usize = 80 << 20;

/// Takes records.
pub async fn post(
    State(api): State<Arc<Api>>,
    Path(topic): Path<String>,
    Whole(body): Whole<BODY_BYTES_MAX>,
) -> Result<String, Problem> {
    let topic = Topic::ALL
        .into_iter()
        .find(|t| t.name() == topic)
        .ok_or_else(|| Problem::bad_request(format!("there is no topic {topic:?}; there are usage and control")))?;
    let batch = decode_batch(&body).ok_or_else(|| Problem::bad_request("the body is cut off"))?;
    Ok(encode_positions(&submit(&api, topic, batch).await?))
}

/// The ends of the usage topic's partitions, as lines.
pub async fn ends(State(api): State<Arc<Api>>) -> Result<String, Problem> {
    let log = Arc::clone(&api.log);
    let ends = tokio::task::spawn_blocking(move || log.ends(Topic::Usage)).await;
    match ends {
        Ok(Ok(ends)) => Ok(ends.iter().enumerate().map(|(partition, end)| format!("{partition}:{end}\n")).collect()),
        Ok(Err(error)) => Err(Problem::unavailable(format!("the event log does not answer: {error}"))),
        Err(_) => Err(Problem::unavailable("the event log did not answer")),
    }
}

/// Records as a body.
pub fn encode_batch(batch: &Batch) -> Vec<u8> {
    let mut body = Vec::with_capacity(batch.bytes() + batch.len() * 8);
    for (key, value) in batch.iter() {
        // Records are far below 4 GiB, which the batch has checked.
        body.extend_from_slice(&(key.len() as u32).to_le_bytes());
        body.extend_from_slice(&(value.len() as u32).to_le_bytes());
        body.extend_from_slice(key);
        body.extend_from_slice(value);
    }
    body
}

fn decode_batch(mut body: &[u8]) -> Option<Batch> {
    let mut batch = Batch::new();
    while !body.is_empty() {
        let (lengths, rest) = body.split_at_checked(8)?;
        let key_length = u32::from_le_bytes(lengths[..4].try_into().ok()?) as usize;
        let value_length = u32::from_le_bytes(lengths[4..].try_into().ok()?) as usize;
        let (key, rest) = rest.split_at_checked(key_length)?;
        let (value, rest) = rest.split_at_checked(value_length)?;
        batch.push(key, value);
        body = rest;
    }
    Some(batch)
}

fn encode_positions(positions: &[Position]) -> String {
    let mut ends: BTreeMap<u32, u64> = BTreeMap::new();
    for position in positions {
        let end = ends.entry(position.partition).or_default();
        *end = (*end).max(position.offset + 1);
    }
    ends.iter().map(|(partition, end)| format!("{partition}:{end}\n")).collect()
}

/// The answer's positions: per partition the offset after the last record.
pub fn decode_positions(answer: &str) -> Option<Watermarks> {
    let mut ends = Watermarks::default();
    for line in answer.lines() {
        let (partition, end) = line.split_once(':')?;
        ends.set(partition.parse().ok()?, end.parse().ok()?);
    }
    Some(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_positions_and_back() {
        let mut batch = Batch::new();
        batch.push(b"key", b"value");
        batch.push(b"", b"");
        let body = encode_batch(&batch);
        let again = decode_batch(&body).expect("the body is whole");
        assert!(again.iter().eq(batch.iter()));
        for cut in 1..body.len() {
            // Cutting off exactly the last record leaves a whole body.
            assert_eq!(decode_batch(&body[..cut]).is_some(), cut == body.len() - 8, "{cut}");
        }
        let positions = [Position { partition: 2, offset: 7 }, Position { partition: 0, offset: 1 }];
        let ends = decode_positions(&encode_positions(&positions)).expect("the answer is whole");
        assert_eq!((ends.get(0), ends.get(1), ends.get(2)), (2, 0, 8));
        assert!(decode_positions("x").is_none());
    }
}

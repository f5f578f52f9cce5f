//! One usage event as borrowed fields, and the rules that decide whether it
//! is valid.
//!
//! Invariant 5: the rules depend on the event and its record time alone, and
//! carry the number [`RULES`].

use crate::time::Instant;

/// The number of the rules by which usage and control events are decided: those
/// of this file and those of settlement. It is recorded with each commit, and a
/// ledger with a higher one is refused.
pub const RULES: i32 = 1;

/// Longest id, name or dimension value, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;
/// Largest count in one event (tokens, bytes, …).
pub const COUNT_MAX: u64 = 1_000_000_000_000_000;
/// Largest time in one event: about 31 years, in nanoseconds.
pub const SPAN_NS_MAX: u64 = 1_000_000_000_000_000_000;
/// An event may be this far ahead of its record time, in microseconds.
pub const AHEAD_US_MAX: i64 = 5 * 60 * 1_000_000;
/// Events before this moment are a broken clock: 2000-01-01, microseconds.
pub const EARLIEST_US: i64 = 946_684_800_000_000;
/// Largest number of a sequence or incarnation: what every language's
/// numbers hold exactly.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// What makes an event unique within its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identity<'a> {
    /// An id that the source chose.
    Named(&'a str),
    /// A position in the source's numbering.
    Numbered {
        /// Which life of the source; it grows when numbering starts again.
        incarnation: u64,
        /// Counts events from 1, +1 each.
        sequence: u64,
    },
}

/// A usage event whose texts are borrowed from the wire, a file or a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event<'a> {
    /// Identity within the source.
    pub identity: Identity<'a>,
    /// Event time.
    pub time: Instant,
    /// What happened.
    pub payload: Payload<'a>,
}

/// The kinds of usage events, each with its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A call to a model.
    ApiCall,
    /// GPU time used by a task.
    GpuUsage,
    /// A sign of life of a node.
    Heartbeat,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [EventKind; 3] = [EventKind::ApiCall, EventKind::GpuUsage, EventKind::Heartbeat];

    /// The name at the edges.
    pub const fn name(self) -> &'static str {
        match self {
            EventKind::ApiCall => "api_call",
            EventKind::GpuUsage => "gpu_usage",
            EventKind::Heartbeat => "heartbeat",
        }
    }

    /// The table that holds these events.
    pub const fn table(self) -> &'static str {
        match self {
            EventKind::ApiCall => "api_calls",
            EventKind::GpuUsage => "gpu_usage",
            EventKind::Heartbeat => "heartbeats",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|k| k.name() == name)
    }
}

/// The typed part of an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Payload<'a> {
    /// A call to a model.
    ApiCall(ApiCall<'a>),
    /// GPU time used by a task.
    GpuUsage(GpuUsage<'a>),
    /// A sign of life of a node.
    Heartbeat(Heartbeat<'a>),
}

impl Payload<'_> {
    /// The kind of this payload.
    pub const fn kind(&self) -> EventKind {
        match self {
            Payload::ApiCall(_) => EventKind::ApiCall,
            Payload::GpuUsage(_) => EventKind::GpuUsage,
            Payload::Heartbeat(_) => EventKind::Heartbeat,
        }
    }
}

/// A call to a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ApiCall<'a> {
    /// Who pays.
    pub customer: &'a str,
    /// The model.
    pub model: &'a str,
    /// Who served it and earns.
    pub provider: &'a str,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Tokens read from a cache.
    pub cached_input_tokens: Option<u64>,
    /// Microseconds from the request to the last byte.
    pub latency_us: Option<u64>,
    /// Outcome, for example "200" or "ok".
    pub status: Option<&'a str>,
    /// Where it ran.
    pub region: Option<&'a str>,
    /// Whether the answer was streamed.
    pub stream: Option<bool>,
}

/// GPU time used by a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GpuUsage<'a> {
    /// Who pays.
    pub customer: &'a str,
    /// The node: the provider.
    pub node: &'a str,
    /// GPU class.
    pub gpu: &'a str,
    /// Leased time, nanoseconds of one GPU.
    pub gpu_ns: u64,
    /// Which task.
    pub task: Option<&'a str>,
    /// Where it ran.
    pub region: Option<&'a str>,
    /// Busy time, nanoseconds.
    pub busy_ns: Option<u64>,
    /// Energy, millijoules.
    pub energy_mj: Option<u64>,
}

/// A sign of life of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heartbeat<'a> {
    /// The node.
    pub node: &'a str,
    /// For example "ready".
    pub status: &'a str,
    /// GPU class.
    pub gpu: Option<&'a str>,
    /// Share of one GPU that is busy, millionths.
    pub utilisation_ppm: Option<u64>,
    /// Bytes of GPU memory in use.
    pub memory_used_bytes: Option<u64>,
    /// Thousandths of a degree Celsius.
    pub temperature_mc: Option<i64>,
    /// Milliwatts.
    pub power_mw: Option<u64>,
    /// Where the node stands.
    pub region: Option<&'a str>,
}

/// Why an event was refused. The codes are part of the books: they are never
/// renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The record has no key, so its source is unknown.
    NoSource,
    /// The source is empty, too long or not printable text.
    BadSource,
    /// The source's events belong on another partition.
    WrongPartition,
    /// The bytes are not a protobuf event.
    Malformed,
    /// A field of this number is not known to these rules.
    UnknownField,
    /// The event's type is not known to these rules.
    UnknownType,
    /// A field that must be there is not.
    MissingField,
    /// A text is empty, too long or not printable.
    BadText,
    /// A number is negative or too large.
    OutOfRange,
    /// Neither an id nor a number, or both.
    BadIdentity,
    /// The event time is too far ahead of the record time or before 2000.
    BadTime,
    /// The importer could not make an event of its input.
    Unusable,
    /// Another event with this identity and other content came first.
    Conflict,
    /// A source that was numbered sent an id, or the other way round.
    ChangedNumbering,
    /// The sequence is absurdly far ahead of what came before.
    SequenceTooFar,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Reason; 15] = [
        Reason::NoSource,
        Reason::BadSource,
        Reason::WrongPartition,
        Reason::Malformed,
        Reason::UnknownField,
        Reason::UnknownType,
        Reason::MissingField,
        Reason::BadText,
        Reason::OutOfRange,
        Reason::BadIdentity,
        Reason::BadTime,
        Reason::Unusable,
        Reason::Conflict,
        Reason::ChangedNumbering,
        Reason::SequenceTooFar,
    ];

    /// The code in tables.
    pub const fn code(self) -> &'static str {
        match self {
            Reason::NoSource => "no_source",
            Reason::BadSource => "bad_source",
            Reason::WrongPartition => "wrong_partition",
            Reason::Malformed => "malformed",
            Reason::UnknownField => "unknown_field",
            Reason::UnknownType => "unknown_type",
            Reason::MissingField => "missing_field",
            Reason::BadText => "bad_text",
            Reason::OutOfRange => "out_of_range",
            Reason::BadIdentity => "bad_identity",
            Reason::BadTime => "bad_time",
            Reason::Unusable => "unusable",
            Reason::Conflict => "conflict",
            Reason::ChangedNumbering => "changed_numbering",
            Reason::SequenceTooFar => "sequence_too_far",
        }
    }

    /// The reason of that code.
    pub fn from_code(code: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|r| r.code() == code)
    }
}

/// A refusal: the reason, and what exactly is wrong in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// What is wrong, naming the field.
    pub detail: String,
}

impl Refusal {
    /// A refusal with words.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Refusal {
        Refusal { reason, detail: detail.into() }
    }
}

/// Whether a text may be an id, a name or a dimension's value.
pub fn is_plain_text(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.len() <= TEXT_BYTES_MAX && is_printable(bytes)
}

/// Whether no byte stands for a control character. An event has about eight
/// texts, so eight bytes are looked at together, the last eight again.
#[inline]
fn is_printable(bytes: &[u8]) -> bool {
    match bytes.last_chunk::<8>() {
        Some(last) => {
            let (words, _) = bytes.as_chunks::<8>();
            words.iter().chain([last]).all(|word| !has_control(u64::from_le_bytes(*word)))
        }
        None => bytes.iter().all(|&byte| byte >= 0x20 && byte != 0x7f),
    }
}

/// Whether one of eight bytes is below 0x20 or is 0x7f. Subtracting sets a
/// byte's highest bit, which it did not have, exactly where the byte was less;
/// a borrow can only come from such a byte.
#[inline]
fn has_control(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = 0x80 * ONES;
    let has_less = |word: u64, than: u64| word.wrapping_sub(than * ONES) & !word & HIGHEST;
    has_less(word, 0x20) | has_less(word ^ (0x7f * ONES), 1) != 0
}

/// Checks a source, the key of a record.
pub fn check_source(key: Option<&[u8]>) -> Result<&str, Refusal> {
    let Some(key) = key else {
        return Err(Refusal::new(Reason::NoSource, "the record has no key; its key must be the source"));
    };
    match std::str::from_utf8(key) {
        Ok(source) if is_plain_text(key) => Ok(source),
        _ => Err(Refusal::new(
            Reason::BadSource,
            format!("the key must be 1 to {TEXT_BYTES_MAX} bytes of printable UTF-8, it has {} bytes", key.len()),
        )),
    }
}

/// Checks an event time against the time at which the log recorded it.
pub fn check_time(time: Instant, recorded_us: i64) -> Result<(), Refusal> {
    if time.us() > recorded_us.saturating_add(AHEAD_US_MAX) {
        return Err(Refusal::new(
            Reason::BadTime,
            format!("time {time} is more than 5 minutes after the log recorded the event"),
        ));
    }
    if time.us() < EARLIEST_US {
        return Err(Refusal::new(Reason::BadTime, format!("time {time} is before the year 2000")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte at every place of texts that are shorter and longer than
    /// what is looked at together, with the largest and the smallest legal
    /// bytes around it.
    #[test]
    fn plain_texts_have_no_control_characters() {
        for (length, around) in (1..=25).flat_map(|length| [(length, 0x20), (length, 0x7e), (length, 0xff)]) {
            for (place, byte) in (0..length).flat_map(|place| (0..=255).map(move |byte| (place, byte))) {
                let mut bytes = vec![around; length];
                bytes[place] = byte;
                assert_eq!(is_plain_text(&bytes), byte >= 0x20 && byte != 0x7f, "{bytes:?}");
            }
        }
        assert!(!is_plain_text(b""));
        assert!(is_plain_text(&[b'a'; TEXT_BYTES_MAX]));
        assert!(!is_plain_text(&[b'a'; TEXT_BYTES_MAX + 1]));
    }
}

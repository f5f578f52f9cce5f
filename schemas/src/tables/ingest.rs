//! The tables that the ingest fold writes: one row per record of the usage
//! topic, in exactly one of them.

use super::{Column, Encoding, Kind, Table, WrittenBy, column, decimal, delta, long, some_long, some_text, text};

const PARTITION: Column = column(
    "_partition",
    Kind::Int,
    false,
    Encoding::Dictionary,
    "Partition of the usage topic that the event came from.",
);
const OFFSET: Column = delta("_offset", Kind::Long, "Offset of the event in its partition.");
const RECORDED_AT: Column =
    delta("_recorded_at", Kind::Time, "When the log recorded the event (UTC), the books' only clock.");
const SOURCE: Column = text("source", "Who produced the event: one ordered producer.");
const ID: Column = column(
    "id",
    Kind::Text,
    true,
    Encoding::Plain,
    "The event's id, unique within its source; null where the source is numbered.",
);
const INCARNATION: Column = column(
    "incarnation",
    Kind::Long,
    true,
    Encoding::Dictionary,
    "Which life of a numbered source; null where the source is not numbered.",
);
const SEQUENCE: Column = column(
    "sequence",
    Kind::Long,
    true,
    Encoding::Delta,
    "Position in a numbered source's incarnation, from 1; null where the source is not numbered.",
);
const TIME: Column = delta("time", Kind::Time, "When it happened, as the source says (UTC).");
const STATISTICS: &[&str] = &["_partition", "_offset", "_recorded_at", "time"];

/// Calls to models.
pub const API_CALLS: Table = Table {
    name: "api_calls",
    comment: "One row per accepted call to a model.",
    written_by: WrittenBy::Ingest,
    columns: &[
        PARTITION,
        OFFSET,
        RECORDED_AT,
        SOURCE,
        ID,
        INCARNATION,
        SEQUENCE,
        TIME,
        text("customer", "Who pays: the customer's pseudonym."),
        text("model", "The model that was called."),
        text("provider", "Who served the call and earns from it."),
        some_text("region", "Where the call ran."),
        some_text("status", "How the call ended, for example 200."),
        column("stream", Kind::Bool, true, Encoding::Plain, "Whether the answer was streamed."),
        long("input_tokens", "Tokens read (tokens)."),
        long("output_tokens", "Tokens written (tokens)."),
        some_long("cached_input_tokens", "Tokens read from a cache (tokens), counted apart from input_tokens."),
        decimal("latency_ms", 18, 3, true, "From the request to the last byte (milliseconds)."),
    ],
    statistics: STATISTICS,
};

/// GPU time.
pub const GPU_USAGE: Table = Table {
    name: "gpu_usage",
    comment: "One row per accepted report of GPU time that a task used on a node.",
    written_by: WrittenBy::Ingest,
    columns: &[
        PARTITION,
        OFFSET,
        RECORDED_AT,
        SOURCE,
        ID,
        INCARNATION,
        SEQUENCE,
        TIME,
        text("customer", "Who pays: the customer's pseudonym."),
        text("node", "The node that ran the task: the provider, who earns from it."),
        text("gpu", "Class of GPU, for example H100."),
        some_text("region", "Where the node stands."),
        some_text("task", "Which task it was."),
        decimal("gpu_seconds", 18, 9, false, "Leased time of one GPU (seconds)."),
        decimal("busy_seconds", 18, 9, true, "Time for which the GPU was busy (seconds)."),
        decimal("energy_joules", 18, 3, true, "Energy drawn (joules)."),
    ],
    statistics: STATISTICS,
};

/// Signs of life.
pub const HEARTBEATS: Table = Table {
    name: "heartbeats",
    comment: "One row per accepted sign of life of a node.",
    written_by: WrittenBy::Ingest,
    columns: &[
        PARTITION,
        OFFSET,
        RECORDED_AT,
        SOURCE,
        ID,
        INCARNATION,
        SEQUENCE,
        TIME,
        text("node", "The node that sent it."),
        text("status", "The node's state, for example ready."),
        some_text("gpu", "Class of GPU, for example H100."),
        some_text("region", "Where the node stands."),
        decimal("utilisation", 9, 6, true, "Share of one GPU that is busy, 0 to 1 (1 = busy all the time)."),
        some_long("memory_used_bytes", "GPU memory in use (bytes)."),
        decimal("temperature_celsius", 9, 3, true, "Temperature of the GPU (degrees Celsius)."),
        decimal("power_watts", 18, 3, true, "Power drawn (watts)."),
    ],
    statistics: STATISTICS,
};

/// Refused records.
pub const REJECTS: Table = Table {
    name: "rejects",
    comment: "One row per record that was refused: the reason and the bytes as they came.",
    written_by: WrittenBy::Ingest,
    columns: &[
        PARTITION,
        OFFSET,
        RECORDED_AT,
        some_text("source", "Who produced the record; null where its key is not a source."),
        text("reason", "Why it was refused, as a code that never changes."),
        column("detail", Kind::Text, false, Encoding::Plain, "What exactly is wrong, in words."),
        column("key", Kind::Bytes, true, Encoding::Plain, "The record's key as it came (bytes)."),
        column("raw", Kind::Bytes, false, Encoding::Plain, "The record's value as it came (bytes)."),
    ],
    statistics: &["_partition", "_offset", "_recorded_at"],
};

/// Repeated records.
pub const DUPLICATES: Table = Table {
    name: "duplicates",
    comment: "One row per record that repeats an accepted event and therefore counts nothing.",
    written_by: WrittenBy::Ingest,
    columns: &[
        PARTITION,
        OFFSET,
        RECORDED_AT,
        text("source", "Who produced the record."),
        long("original_offset", "Offset, in the same partition, of the accepted event that it repeats."),
    ],
    statistics: &["_partition", "_offset", "_recorded_at"],
};

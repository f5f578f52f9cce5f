//! The table of usage events that were taken back or charged otherwise than
//! they were sent. `_offset` is the offset of the control event that did it.

use super::settlement::{GPU, METER, MODEL, OFFSET, PERIOD, REGION, STATISTICS};
use super::{Encoding, Kind, Table, WrittenBy, column, decimal, delta, some_long, text};

/// What was taken back of usage events, and what was put in its place.
pub const CORRECTIONS: Table = Table {
    name: "corrections",
    comment: "What was taken back of a usage event (negative) and put in its place, by meter. Usage and corrections together are what charges hold.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        delta("line", Kind::Int, "Number of the row among those of its control event, from 1."),
        text("part", "taken_back: what was charged of the event until then; put: what is charged of it since."),
        delta("usage_partition", Kind::Int, "Partition of the usage topic in which the event stands."),
        delta("usage_offset", Kind::Long, "Offset of the event in its partition."),
        text("source", "Who sent the event."),
        column(
            "id",
            Kind::Text,
            true,
            Encoding::Plain,
            "The event's id in its source; null where the source is numbered.",
        ),
        some_long("incarnation", "Which life of a numbered source; null where the source is not numbered."),
        some_long("sequence", "Position in the incarnation; null where the source is not numbered."),
        column("time", Kind::Time, false, Encoding::Dictionary, "When the event happened (UTC): it does not change."),
        text("customer", "The customer, who pays."),
        text("provider", "The provider, who earns."),
        METER,
        MODEL,
        GPU,
        REGION,
        PERIOD,
        decimal("quantity", 38, 9, false, "Quantity in the meter's unit, negative where it is taken back."),
        column("reason", Kind::Text, false, Encoding::Dictionary, "Why it was corrected, in words."),
    ],
    statistics: STATISTICS,
};

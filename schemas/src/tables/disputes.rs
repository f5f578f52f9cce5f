//! The table of lines that somebody does not agree to. `_offset` is the offset
//! of the control event that a row follows from.

use super::settlement::{CURRENCY, GPU, METER, MODEL, OFFSET, PERIOD, REGION, STATISTICS};
use super::{Encoding, Kind, Table, WrittenBy, column, decimal, text};

/// Disputes and what became of them.
pub const DISPUTES: Table = Table {
    name: "disputes",
    comment: "One row where a dispute of a line was opened, and one where it was resolved.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        column(
            "name",
            Kind::Text,
            false,
            Encoding::Plain,
            "Its name: dispute- and the offset of the control event that opened it, for example dispute-12.",
        ),
        text("step", "opened or resolved."),
        text(
            "side",
            "customer, who does not agree to a line of an invoice, or provider, who asks for more than one of a statement.",
        ),
        text("party", "The customer or the provider."),
        CURRENCY,
        column("document", Kind::Text, false, Encoding::Plain, "Number of the invoice or the statement."),
        PERIOD,
        METER,
        MODEL,
        GPU,
        REGION,
        text("price", "The price row of the line (prices.price)."),
        decimal(
            "amount",
            38,
            12,
            false,
            "How much was disputed, or accepted of it, in the currency's unit; of an invoice with tax.",
        ),
        column("reason", Kind::Text, false, Encoding::Plain, "Why, in words."),
    ],
    statistics: STATISTICS,
};

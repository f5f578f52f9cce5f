//! The tables of what customers promised to pay at least, and of what was
//! charged because they used less. `_offset` is the offset of the control event
//! that a row follows from.

use super::settlement::{CURRENCY, OFFSET, STATISTICS};
use super::{Encoding, Kind, Table, WrittenBy, column, decimal, delta, text};

/// What customers pay at least.
pub const COMMITMENTS: Table = Table {
    name: "commitments",
    comment: "One row per change of a commitment. Of a customer and currency the last row with from_period up to a month holds in it, unless a later row begins no later; one without an amount ended it.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        text("customer", "The customer who pays at least that much."),
        CURRENCY,
        text("from_period", "First month of the first term, or the first month without a commitment."),
        decimal(
            "amount",
            38,
            12,
            true,
            "What a term comes to at least before tax, in the currency's unit; null where it ended.",
        ),
        column("months", Kind::Int, true, Encoding::Plain, "How long a term is (months); null where it ended."),
    ],
    statistics: STATISTICS,
};

/// What commitments lacked.
pub const TRUE_UPS: Table = Table {
    name: "true_ups",
    comment: "One row per term of a commitment in which a customer used less: what the invoice of its last month charges.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        delta("line", Kind::Int, "Number of the row among those of its control event, from 1."),
        text("customer", "The customer whose commitment it is."),
        CURRENCY,
        text("period", "Billing period: the last month of the term, for example 2024-01."),
        text("first_period", "First month of the term."),
        decimal("committed", 38, 12, false, "What the term comes to at least, in the currency's unit."),
        decimal("billed", 38, 12, false, "Exact sum of what was billed for use in the months of the term."),
        decimal("amount", 38, 12, false, "What is charged: committed less billed, before tax."),
        column(
            "document",
            Kind::Text,
            true,
            Encoding::Plain,
            "Number of the invoice or credit note that charges it; null where there was nothing to pay.",
        ),
    ],
    statistics: STATISTICS,
};

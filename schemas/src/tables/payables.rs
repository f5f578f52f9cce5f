//! The tables of what providers earned. `_offset` is the offset of the control
//! event that a row follows from.

use super::settlement::{CURRENCY, OFFSET, STATISTICS};
use super::{Encoding, Kind, Table, WrittenBy, column, decimal, delta, text};

/// Statements of what providers earned.
pub const STATEMENTS: Table = Table {
    name: "statements",
    comment: "One row per statement of what a provider earned in a month that was closed, by which the platform bills itself in the provider's name.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        delta("line", Kind::Int, "Number of the row among those of its control event, from 1."),
        column(
            "number",
            Kind::Text,
            false,
            Encoding::Plain,
            "Its number: the entity's code, S and a count without gaps, for example INV-S-000012.",
        ),
        text("entity", "Code of the legal entity that issued it."),
        text("provider", "The provider whose it is."),
        CURRENCY,
        text("period", "The month that it is for (UTC)."),
        decimal("earned", 38, 12, false, "Exact sum of its lines, in the currency's unit."),
        decimal(
            "carried",
            38,
            12,
            false,
            "What rounding left of the provider's statements before it, exactly, and what was accepted of disputes since.",
        ),
        decimal(
            "total",
            38,
            12,
            false,
            "What is to be paid: earned and carried, rounded to the currency's cents, half away from zero.",
        ),
        column("issued_at", Kind::Time, false, Encoding::Dictionary, "When it was issued (UTC)."),
    ],
    statistics: STATISTICS,
};

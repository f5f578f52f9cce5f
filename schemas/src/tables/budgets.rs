//! The tables of budgets and of the alerts that they give. `_offset` is the
//! offset of the control event that a row follows from.

use super::settlement::{OFFSET, STATISTICS};
use super::{Encoding, Kind, Table, WrittenBy, column, decimal, delta, some_text, text};

/// What customers are meant to use at most.
pub const BUDGETS: Table = Table {
    name: "budgets",
    comment: "One row per change of a budget. The last row of a customer's budget holds; one without a limit ended it.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        text("customer", "The customer whose usage is watched."),
        text("budget", "The budget's name among those of the customer."),
        some_text("from_period", "First billing period that it holds for; null where the budget ended."),
        some_text("currency", "Currency of a limit in money; null for one in units."),
        decimal("amount", 38, 12, true, "Limit in money per billing period, in the currency's unit."),
        some_text("meter", "What a limit in units counts; null for one in money."),
        decimal("quantity", 38, 9, true, "Limit in the meter's unit per billing period."),
        some_text("thresholds", "Parts of the limit that give an alert, in per cent: 50,80,100."),
    ],
    statistics: STATISTICS,
};

/// Thresholds that were reached.
pub const ALERTS: Table = Table {
    name: "alerts",
    comment: "One row per threshold of a budget that a customer's billing period reached. Of one limit each threshold is crossed once in a period, whatever is corrected later.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        delta("line", Kind::Int, "Number of the row among those of its control event, from 1."),
        column(
            "alert",
            Kind::Text,
            false,
            Encoding::Plain,
            "Its name: alert-, the control event's offset and the line, for example alert-12-1.",
        ),
        column(
            "recorded_at",
            Kind::Time,
            false,
            Encoding::Dictionary,
            "When the log recorded the control event (UTC).",
        ),
        text("customer", "The customer whose usage reached the threshold."),
        text("budget", "The budget's name among those of the customer."),
        delta("set_at", Kind::Long, "Offset of the control event that set the limit."),
        text("period", "Billing period: a calendar month in UTC, for example 2023-11."),
        delta("threshold", Kind::Int, "The threshold that was reached (per cent of the limit)."),
        some_text("currency", "Currency of a limit in money; null for one in units."),
        decimal("amount_limit", 38, 12, true, "The limit in money, in the currency's unit."),
        decimal("amount", 38, 12, true, "What the period's charges came to after the control event."),
        some_text("meter", "What a limit in units counts; null for one in money."),
        decimal("quantity_limit", 38, 9, true, "The limit in the meter's unit."),
        decimal("quantity", 38, 9, true, "The period's charged quantity after the control event."),
    ],
    statistics: STATISTICS,
};

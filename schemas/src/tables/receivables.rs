//! The tables of what customers owe and pay. `_offset` is the offset of the
//! control event that a row follows from.

use super::settlement::{CURRENCY, OFFSET, STATISTICS};
use super::{Encoding, Kind, Table, WrittenBy, column, decimal, delta, some_text, text};

/// On what terms customers are invoiced.
pub const TERMS: Table = Table {
    name: "terms",
    comment: "One row per change of terms. A customer has its last ones, or the last ones without a customer.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        some_text("customer", "Whose terms they are; null for all that have none of their own."),
        text("entity", "Code of the legal entity that issues the invoices."),
        delta("due_days", Kind::Int, "How long the customer has to pay (days)."),
        some_text("tax_name", "What the tax is called; null where there is none."),
        decimal("tax_rate", 13, 12, true, "The tax's part of the subtotal, 0 to 1; null where there is none."),
    ],
    statistics: STATISTICS,
};

/// In which currencies customers are rated.
pub const CURRENCIES: Table = Table {
    name: "currencies",
    comment: "One row per currency that was put in force. A customer has its last one from that month on, or the last one without a customer; USD where there is none.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        some_text("customer", "Whose currency it is; null for all that have none of their own."),
        text("currency", "The currency in which what it uses is rated."),
        text("from_period", "The first month of use, for example 2023-11."),
    ],
    statistics: STATISTICS,
};

/// Invoices and credit notes.
pub const INVOICES: Table = Table {
    name: "invoices",
    comment: "One row per invoice and credit note that was issued. What is open of one is its total less its allocations.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        delta("line", Kind::Int, "Number of the row among those of its control event, from 1."),
        column(
            "number",
            Kind::Text,
            false,
            Encoding::Plain,
            "Its number: the entity's code and a count without gaps, for example INV-000012.",
        ),
        text("kind", "invoice, or credit_note with a negative total."),
        text("entity", "Code of the legal entity that issued it."),
        text("customer", "The customer whose it is."),
        CURRENCY,
        some_text("period", "The month that it is for (UTC); null for a credit that somebody gave."),
        decimal("subtotal", 38, 12, false, "Exact sum of its lines, in the currency's unit."),
        decimal("net", 38, 12, false, "The subtotal rounded to the currency's cents, half away from zero."),
        some_text("tax_name", "What the tax is called; null where there is none."),
        decimal("tax_rate", 13, 12, true, "The tax's part of the subtotal, 0 to 1; null where there is none."),
        decimal("tax", 38, 12, false, "Tax on the subtotal, rounded to the currency's cents, half away from zero."),
        decimal("total", 38, 12, false, "Net and tax: what is to be paid; negative for a credit note."),
        some_text("corrects", "Number of the invoice that a credit note takes back; null where it is none."),
        column("reason", Kind::Text, true, Encoding::Plain, "Why a credit was given, in words; null for a month's."),
        column("issued_at", Kind::Time, false, Encoding::Dictionary, "When it was issued (UTC)."),
        column(
            "due_at",
            Kind::Time,
            true,
            Encoding::Dictionary,
            "When an invoice is to be paid (UTC); null for a credit note.",
        ),
    ],
    statistics: STATISTICS,
};

/// What customers have for the invoices of some months.
pub const GRANTS: Table = Table {
    name: "grants",
    comment: "One row per grant: something that pays a customer's invoices of some months before all else that it holds. What is used of one stands in allocations; what is left after its last month was closed is gone.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        column(
            "name",
            Kind::Text,
            false,
            Encoding::Plain,
            "Its name: grant- and the control event's offset, for example grant-12.",
        ),
        text("customer", "The customer whose invoices it pays."),
        CURRENCY,
        decimal("amount", 38, 12, false, "How much, in the currency's unit."),
        text("kind", "prepaid, which the customer paid for, or promotional, which was given."),
        column(
            "received_at",
            Kind::Time,
            true,
            Encoding::Plain,
            "When the bank had what was paid for it (UTC); null where it was given.",
        ),
        delta(
            "priority",
            Kind::Int,
            "Grants with a smaller one are used first; then those that end earlier, then older ones.",
        ),
        text("from_period", "The first month whose invoices it pays, for example 2023-11."),
        some_text("until_period", "The last one; null for all."),
        column("reason", Kind::Text, false, Encoding::Plain, "What it is for, in words."),
    ],
    statistics: STATISTICS,
};

/// Money that came in.
pub const PAYMENTS: Table = Table {
    name: "payments",
    comment: "One row per payment that came in from a customer.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        column(
            "payment",
            Kind::Text,
            false,
            Encoding::Plain,
            "Its name: payment- and the control event's offset, for example payment-12.",
        ),
        text("customer", "The customer who paid."),
        CURRENCY,
        decimal("amount", 38, 12, false, "How much, in the currency's unit."),
        delta("received_at", Kind::Time, "When the bank had it (UTC)."),
        column("invoice", Kind::Text, true, Encoding::Plain, "Number of the invoice that it names; null where none."),
        column("reference", Kind::Text, false, Encoding::Plain, "What the bank says of it; may be empty."),
    ],
    statistics: STATISTICS,
};

/// What paid what.
pub const ALLOCATIONS: Table = Table {
    name: "allocations",
    comment: "One row per part of an invoice that a payment, a credit note or a grant settled, that was given up, or that is disputed.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        delta("line", Kind::Int, "Number of the row among those of its control event, from 1."),
        column("invoice", Kind::Text, false, Encoding::Plain, "Number of the invoice."),
        column(
            "source",
            Kind::Text,
            false,
            Encoding::Plain,
            "The payment (payments.payment), the credit note (invoices.number) or the grant (grants.name) that was used; write-off-N where it was given up; dispute-N (disputes.name) where it is set aside.",
        ),
        text("customer", "The customer whose both are."),
        CURRENCY,
        decimal(
            "amount",
            38,
            12,
            false,
            "How much of the invoice, in the currency's unit; negative where what was given up or set aside is put back.",
        ),
    ],
    statistics: STATISTICS,
};

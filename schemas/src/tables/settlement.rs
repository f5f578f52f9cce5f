//! The tables that settlement writes. `_offset` is the offset of the control
//! event that a row follows from.

use super::{Column, Encoding, Kind, Table, WrittenBy, column, decimal, delta, some_text, text};

pub(super) const OFFSET: Column =
    delta("_offset", Kind::Long, "Offset of the control event that this row follows from.");
pub(super) const METER: Column = text("meter", "What is counted, for example tokens.input.");
pub(super) const MODEL: Column =
    some_text("model", "Dimension: the model; null where the meter has no such dimension.");
pub(super) const GPU: Column =
    some_text("gpu", "Dimension: the class of GPU; null where the meter has no such dimension.");
pub(super) const REGION: Column = some_text("region", "Dimension: where it ran; null where it was not reported.");
pub(super) const PERIOD: Column = text("period", "Billing period: a calendar month in UTC, for example 2023-11.");
const PRICE: Column = some_text("price", "The price row that applied (prices.price); null where none did.");
pub(super) const CURRENCY: Column = text("currency", "The currency in which the customer is rated.");
pub(super) const STATISTICS: &[&str] = &["_offset"];

/// Control events and what became of them.
pub const CONTROL: Table = Table {
    name: "control",
    comment: "One row per control event, with its outcome.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        delta("_recorded_at", Kind::Time, "When the log recorded the event (UTC)."),
        some_text("source", "Who sent it; null where the record's key is not a source."),
        column("id", Kind::Text, true, Encoding::Plain, "The event's id within its source."),
        text("type", "What kind of event it is, for example settle."),
        text("outcome", "applied, refused, duplicate, conflict or malformed."),
        column("message", Kind::Text, false, Encoding::Plain, "What was done, or why it was refused, in words."),
        column("key", Kind::Bytes, true, Encoding::Plain, "The record's key as it came (bytes)."),
        column("raw", Kind::Bytes, false, Encoding::Plain, "The record's value as it came (bytes)."),
    ],
    statistics: STATISTICS,
};

/// Exact quantities by hour.
pub const CHARGES: Table = Table {
    name: "charges",
    comment: "Exact quantities, no money: what one customer used, or one provider served, in one hour. Add rows up; a correction is a row with the other sign.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        delta("line", Kind::Int, "Number of the row among those of its control event, from 1."),
        text("side", "customer or provider: whose quantity this is. Both sides count the same usage."),
        text("party", "The customer or the provider."),
        METER,
        MODEL,
        GPU,
        REGION,
        column("hour", Kind::Time, false, Encoding::Dictionary, "Start of the hour of the event time (UTC)."),
        PERIOD,
        text("state", "charged, unrated (no price yet), not_billed (the book does not mention the meter) or waived."),
        PRICE,
        CURRENCY,
        decimal("quantity", 38, 9, false, "Quantity in the meter's unit: tokens, requests, seconds or joules."),
    ],
    statistics: STATISTICS,
};

/// Postings.
pub const JOURNAL: Table = Table {
    name: "journal",
    comment: "Double-entry postings. The postings of one entry (_offset, entry) add up to zero per asset.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        delta("entry", Kind::Int, "Number of the entry within its control event, from 1."),
        delta("line", Kind::Int, "Number of the posting within its entry, from 1."),
        text("account", "For example customer/acme/receivable or provider/node-7/payable."),
        text("asset", "The currency or token."),
        decimal("amount", 38, 12, false, "Signed amount in the asset's unit: positive is debit, negative is credit."),
        column(
            "effective_at",
            Kind::Time,
            false,
            Encoding::Dictionary,
            "From when the posting counts (UTC): usage within its billing period, payments when the bank had them; never in a month that was closed.",
        ),
        some_text("meter", "What is counted, for example tokens.input; null where no usage is behind the posting."),
        MODEL,
        GPU,
        REGION,
        some_text("period", "Billing period: a calendar month in UTC; null for payments and credits."),
        some_text("price", "The price row that applied (prices.price); null where no usage is behind the posting."),
        decimal(
            "quantity",
            38,
            9,
            true,
            "Quantity behind the posting in the meter's unit; null for the platform's own accounts.",
        ),
        some_text("document", "The invoice, credit note or payment that the posting belongs to; null for usage."),
    ],
    statistics: STATISTICS,
};

/// Prices as applied.
pub const PRICES: Table = Table {
    name: "prices",
    comment: "One row per price of each price book that was applied.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        delta("line", Kind::Int, "Number of the row among those of its control event, from 1."),
        text("price", "Name of the price row: offset of its book and position in it, for example 12-3."),
        text("currency", "The currency of the price."),
        column(
            "effective_from",
            Kind::Time,
            false,
            Encoding::Dictionary,
            "First moment at which the book can hold (UTC, a whole hour).",
        ),
        METER,
        some_text("model", "Matches this model only; null matches all."),
        some_text("gpu", "Matches this class of GPU only; null matches all."),
        some_text("region", "Matches this region only; null matches all."),
        decimal("per", 38, 9, false, "How many units of the meter the amount buys."),
        decimal("amount", 38, 12, false, "Price of `per` units, in the currency's unit."),
        decimal("provider_share", 13, 12, false, "The provider's part of the amount, 0 to 1."),
    ],
    statistics: STATISTICS,
};

/// How customers pay where it is not so much per unit.
pub const CHARGE_MODELS: Table = Table {
    name: "charge_models",
    comment: "How customers pay at a price row that is not so much per unit: one row per tier, or one where there are no tiers. Each looks at a customer's whole use of one month at the price row; providers' shares are of the linear amount.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        delta("line", Kind::Int, "Number of the row among those of its control event, from 1."),
        text("price", "The price row (prices.price)."),
        text(
            "charge_model",
            "graduated or volume (by tiers), package (begun ones of `per` units), percentage (of the linear amount) or per_unit (with a minimum).",
        ),
        delta("tier", Kind::Int, "Number of the tier within its price, from 1; 1 where there are no tiers."),
        decimal("above", 38, 9, false, "The tier begins above this quantity, in the meter's unit."),
        decimal("up_to", 38, 9, true, "The last quantity in the tier; null in the last one."),
        decimal(
            "amount",
            38,
            12,
            true,
            "Price of `per` units (prices.per) in the tier; null where there are no tiers.",
        ),
        decimal(
            "flat",
            38,
            12,
            true,
            "What is due once as soon as a quantity lies in the tier; null where there are none.",
        ),
        decimal("percent", 8, 2, true, "Of a percentage: the part of the linear amount that is paid, in per cent."),
        decimal("minimum", 38, 12, true, "What is paid at least in a month with any use; null where nothing."),
    ],
    statistics: STATISTICS,
};

/// Whose the prices are that are for one customer.
pub const PRICE_CUSTOMERS: Table = Table {
    name: "price_customers",
    comment: "The customer whose own a price row is: a price row without a row here is for all customers. A customer's own price comes before any for all.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        delta("line", Kind::Int, "Number of the row among those of its control event, from 1."),
        text("price", "The price row (prices.price)."),
        text("customer", "The one customer who pays by it."),
    ],
    statistics: STATISTICS,
};

/// What model owners and asset pools earn.
pub const OWNER_SHARES: Table = Table {
    name: "owner_shares",
    comment: "What model owners and asset pools earn of the linear amounts of a price book: one row per share, or one per provider where it is of what some providers serve. It is taken out of the platform's part.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        delta("line", Kind::Int, "Number of the row among those of its control event, from 1."),
        delta("share", Kind::Int, "Number of the share among those of its price book, from 1."),
        text(
            "owner",
            "Who earns it, as its account begins: model_owner/ or asset_pool/ and a name. The account is this and /payable.",
        ),
        METER,
        some_text("model", "Of this model only; null for all."),
        some_text("gpu", "Of this class of GPU only; null for all."),
        some_text("region", "Of this region only; null for all."),
        some_text("provider", "Of what this provider serves; null for all."),
        decimal("part", 13, 12, false, "The part of the linear amount, 0 to 1."),
    ],
    statistics: STATISTICS,
};

/// Months and how far they are closed.
pub const PERIODS: Table = Table {
    name: "periods",
    comment: "One row per step of a month from open to closed. A month without a row is open.",
    written_by: WrittenBy::Settlement,
    columns: &[
        OFFSET,
        text("period", "The month in UTC, for example 2023-11."),
        text("state", "closing: which usage belongs to it is fixed; closed: nothing in it changes any more."),
        delta("changed_at", Kind::Time, "When the log recorded the event that changed it (UTC)."),
        column(
            "settled",
            Kind::Text,
            false,
            Encoding::Plain,
            "Usage below these offsets (partition:offset, …) is billed in its own month, later usage in an open one.",
        ),
    ],
    statistics: STATISTICS,
};

//! What the columns of the views say.
//!
//! Invariant: a published column keeps its name and meaning for ever.

pub(super) type Columns = &'static [(&'static str, &'static str)];

pub(super) const METER: (&str, &str) = ("meter", "What is counted, for example tokens.input.");
pub(super) const MODEL: (&str, &str) = ("model", "Dimension: the model; null where the meter has no such dimension.");
pub(super) const GPU: (&str, &str) =
    ("gpu", "Dimension: the class of GPU; null where the meter has no such dimension.");
pub(super) const REGION: (&str, &str) = ("region", "Dimension: where it ran; null where it was not reported.");
pub(super) const QUANTITY: (&str, &str) =
    ("quantity", "Quantity in the meter's unit: tokens, requests, seconds or joules.");
pub(super) const PERIOD: (&str, &str) = ("period", "Billing period: a calendar month in UTC, for example 2023-11.");
pub(super) const CURRENCY: (&str, &str) = ("currency", "The currency in which the customer is rated.");
const STATE: (&str, &str) = ("state", "charged, unrated, not_billed or waived, as in charges.");
const PRICE: (&str, &str) = ("price", "The price row that applied (prices.price); null where none did.");

pub(super) const SHARDS: Columns = &[
    ("_partition", "Partition of the usage topic."),
    ("watermark", "Rows of the partition with a lower _offset are visible."),
    ("settled", "Usage with a lower _offset is settled."),
    ("received", "Records below the watermark, by commits."),
    ("accepted", "Those of them that were accepted."),
    ("duplicate", "Those that repeat an accepted event."),
    ("rejected", "Those that were refused."),
];

pub(super) const USAGE: Columns = &[
    ("_partition", "Partition of the usage topic that the event came from."),
    ("_offset", "Offset of the event in its partition."),
    ("_recorded_at", "When the log recorded the event (UTC)."),
    ("source", "Who produced the event."),
    ("id", "The event's id within its source; for a numbered source incarnation-sequence."),
    ("time", "When it happened, as the source says (UTC)."),
    ("customer", "Who pays: the customer's pseudonym."),
    ("provider", "Who served it and earns from it: the node for GPU time."),
    METER,
    MODEL,
    GPU,
    REGION,
    QUANTITY,
];

pub(super) const BALANCES: Columns = &[
    ("account", "The account, for example customer/acme/receivable."),
    ("asset", "The currency or token."),
    ("balance", "Sum of the postings in the asset's unit: positive is debit, negative is credit."),
    ("postings", "How many postings there are."),
];

pub(super) const CONSERVATION: Columns = &[
    METER,
    MODEL,
    GPU,
    REGION,
    ("used", "What the usage tables hold (the meter's unit, as all that follow)."),
    ("not_settled", "Of that what is not settled yet."),
    ("corrected", "What corrections put in place of settled usage, less what they took back."),
    ("charged", "What is charged at a price."),
    ("unrated", "What waits for a price."),
    ("waived", "What was given up."),
    ("not_billed", "What no price book in force mentions."),
    ("difference", "used less all the others: must be 0."),
];

pub(super) const SIDES: Columns = &[
    PERIOD,
    CURRENCY,
    METER,
    MODEL,
    GPU,
    REGION,
    STATE,
    PRICE,
    ("customers", "What customers used (the meter's unit)."),
    ("providers", "What providers served (the meter's unit)."),
    ("difference", "customers less providers: must be 0."),
];

pub(super) const RECORDS: Columns = &[
    ("_partition", "Partition of the usage topic."),
    ("watermark", "Rows of the partition with a lower _offset are visible."),
    ("received", "Records below the watermark, by commits."),
    ("accepted", "Those that were accepted, by commits."),
    ("duplicate", "Those that repeat an accepted event, by commits."),
    ("rejected", "Those that were refused, by commits."),
    ("accepted_rows", "Rows in api_calls, gpu_usage and heartbeats."),
    ("duplicate_rows", "Rows in duplicates."),
    ("rejected_rows", "Rows in rejects."),
    ("difference", "How far all these are from each other, added up: must be 0."),
];

pub(super) const ENTRIES: Columns = &[
    ("_offset", "Offset of the control event that the entry follows from."),
    ("entry", "Number of the entry within its control event, from 1."),
    ("asset", "The currency or token."),
    ("postings", "How many postings there are."),
    ("difference", "Their sum in the asset's unit: must be 0."),
];

pub(super) const UNRATED: Columns = &[
    PERIOD,
    CURRENCY,
    METER,
    MODEL,
    GPU,
    REGION,
    ("first_hour", "Start of the first hour with such usage (UTC)."),
    ("last_hour", "Start of the last hour with such usage (UTC)."),
    ("hours", "How many hours have such usage."),
    ("customers", "How many customers have such usage."),
    QUANTITY,
];

pub(super) const LATE: Columns = &[
    ("hour", "Start of the hour in which it was used (UTC)."),
    PERIOD,
    ("customer", "Who pays: the customer's pseudonym."),
    CURRENCY,
    METER,
    MODEL,
    GPU,
    REGION,
    STATE,
    PRICE,
    QUANTITY,
    ("amount", "Quantity times price, rounded to a millionth of the currency's unit; null where there is no price."),
];

pub(super) const INVOICE_STATUS: Columns = &[
    ("_offset", "Offset of the control event that issued it."),
    ("line", "Number of the row among those of its control event, from 1."),
    ("number", "Its number, for example INV-000012."),
    ("kind", "invoice, or credit_note with a negative total."),
    ("customer", "The customer whose it is."),
    ("period", "The month that it is for (UTC); null for a credit that somebody gave."),
    ("currency", "The currency in which the customer is rated."),
    ("net", "Before tax, in the currency's unit."),
    ("tax", "Tax, in the currency's unit."),
    ("total", "What is to be paid; negative for a credit note."),
    ("paid", "What payments and grants settled of it."),
    ("credited", "What credit notes settled of it."),
    ("written_off", "What was given up of it as bad debt."),
    ("disputed", "What is set aside of it until a dispute is resolved."),
    ("open", "What is still to be paid; 0 for a credit note."),
    (
        "status",
        "finalized, paid, void where all of it was taken back, disputed or written off; issued for a credit note.",
    ),
    ("issued_at", "When it was issued (UTC)."),
    ("due_at", "When it is to be paid (UTC); null for a credit note."),
];

pub(super) const GRANT_STATUS: Columns = &[
    ("_offset", "Offset of the control event that made it."),
    ("name", "Its name, for example grant-12."),
    ("customer", "The customer whose invoices it pays."),
    ("currency", "The currency of its amounts."),
    ("kind", "prepaid, which the customer paid for, or promotional, which was given."),
    ("priority", "Grants with a smaller one are used first."),
    ("from_period", "The first month whose invoices it pays."),
    ("until_period", "The last one; null for all."),
    ("reason", "What it is for, in words."),
    ("amount", "How much, in the currency's unit."),
    ("used", "What of it paid invoices."),
    ("unused", "What of it did not."),
    ("state", "open, used, or expired once its last month was closed."),
];

pub(super) const DISPUTE_STATUS: Columns = &[
    ("_offset", "Offset of the control event that opened it."),
    ("name", "Its name, for example dispute-12."),
    ("side", "customer, or provider, who asks for more."),
    ("party", "The customer or the provider."),
    ("document", "Number of the invoice or the statement."),
    PERIOD,
    CURRENCY,
    METER,
    MODEL,
    GPU,
    REGION,
    PRICE,
    ("reason", "Why it was opened, in words."),
    ("amount", "How much is disputed, in the currency's unit; of an invoice with tax."),
    ("set_aside", "What of the invoice is neither open nor paid until it is resolved."),
    ("state", "open, accepted, partly accepted or rejected."),
    ("accepted", "How much of it was accepted; null while it is open."),
    ("answer", "Why, in words; null while it is open."),
    ("credit_note", "Number of the credit note that takes back what was accepted; null where there is none."),
];

pub(super) const OWNER_EARNINGS: Columns = &[
    ("owner", "Who earned it: model_owner/ or asset_pool/ and a name, as in owner_shares."),
    PERIOD,
    CURRENCY,
    METER,
    MODEL,
    GPU,
    REGION,
    PRICE,
    ("quantity", "The quantity of which it is a part, in the meter's unit."),
    ("amount", "What it earned, in the currency's unit."),
];

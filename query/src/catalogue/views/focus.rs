//! What the columns of the FOCUS views, and of those that they are made from, say.
//!
//! Invariant: FOCUS's columns have the names of FOCUS 1.4; ours begin with `x_`.

use super::columns::{CURRENCY, Columns, GPU, METER, MODEL, PERIOD, QUANTITY, REGION};

pub(super) const CUSTOMER_MONTHS: Columns = &[
    ("customer", "Who pays: the customer's pseudonym."),
    CURRENCY,
    PERIOD,
    ("first_offset", "Offset of the control event with the month's first charge of the customer, or that closed it."),
    ("entity", "Code of the legal entity that issued the document, or would."),
    (
        "number",
        "Number of the invoice or credit note; null while the month is not closed, or where nothing was to pay.",
    ),
    ("closed_at", "When the month was closed (UTC); null while it is not."),
];

pub(super) const USAGE_COSTS: Columns = &[
    ("customer", "Who pays: the customer's pseudonym."),
    CURRENCY,
    PERIOD,
    ("line", "Number of the line among those of the customer's month, from 1."),
    METER,
    MODEL,
    GPU,
    REGION,
    ("price", "The price row that applied (prices.price)."),
    ("per", "How many units of the meter unit_price buys."),
    ("unit_price", "Price of `per` units, in the currency's unit."),
    ("hour", "Start of the hour in which it was used (UTC)."),
    QUANTITY,
    ("units", "quantity divided by `per`, rounded to 10^-15."),
    ("cost", "What it costs in the currency's unit, to 10^-12: the hours of a month add up to the journal's amount."),
];

pub(super) const COST_AND_USAGE: Columns = &[
    ("BilledCost", "What the row adds to the amount to pay (BillingCurrency)."),
    ("BillingAccountId", "The customer's pseudonym."),
    ("BillingAccountName", "Null in the books, which know no names; the export has it from profiles."),
    ("BillingCurrency", "The currency in which the customer is rated."),
    ("BillingPeriodEnd", "First moment after the billing period (UTC)."),
    ("BillingPeriodStart", "First moment of the billing period (UTC): the month in which the row is billed."),
    ("ChargeCategory", "Usage, Tax, Credit, Purchase for what a commitment lacks, or Adjustment for a rounding."),
    ("ChargeClass", "Correction where the charge period lies in an earlier month than the billing period; else null."),
    ("ChargeDescription", "What it is and at what price, in words."),
    ("ChargeFrequency", "Usage-Based for usage, else One-Time."),
    ("ChargePeriodEnd", "First moment after the charge period (UTC)."),
    (
        "ChargePeriodStart",
        "First moment of the charge period (UTC): the hour of use; the month of what concerns a document.",
    ),
    ("ConsumedQuantity", "What was used, in ConsumedUnit; null unless it is usage."),
    ("ConsumedUnit", "The meter's unit; null unless it is usage."),
    ("ContractedCost", "As BilledCost: there are no discounts off a price row."),
    ("ContractedUnitPrice", "As ListUnitPrice."),
    ("EffectiveCost", "As BilledCost: nothing is paid before it is used."),
    ("HostProviderName", "As ServiceProviderName: customers are not told which node served them."),
    ("InvoiceDetailId", "The line of the document; null without one."),
    (
        "InvoiceId",
        "Number of the invoice or credit note; null while the month is not closed, or where nothing was to pay.",
    ),
    ("InvoiceIssuerName", "Code of the legal entity that issues, or would issue by the terms that hold."),
    ("ListCost", "As BilledCost: PricingQuantity times ListUnitPrice to within 10^-12."),
    ("ListUnitPrice", "Price of one PricingUnit (BillingCurrency); null unless it is usage."),
    ("PricingQuantity", "What was used, in PricingUnit, to 10^-15; null unless it is usage."),
    ("PricingUnit", "What the price buys, for example 1000000 Tokens; null unless it is usage."),
    ("RegionId", "Where it ran; null where it was not reported."),
    ("RegionName", "As RegionId."),
    ("ServiceCategory", "AI and Machine Learning, Compute, or Other."),
    ("ServiceName", "Model API, GPU Compute, or Billing."),
    ("ServiceProviderName", "Code of the legal entity; the export has the company's name where one is configured."),
    ("ServiceSubcategory", "Generative AI, Other (Compute), or Other (Other)."),
    ("SkuId", "Meter with model or class of GPU; null unless it is usage."),
    ("SkuMeter", "What is counted, in words; null unless it is usage."),
    ("SkuPriceId", "SkuId with the region; null unless it is usage."),
    ("x_Gpu", "The class of GPU; null where there is none."),
    ("x_Meter", "The meter, for example tokens.input; null unless it is usage."),
    ("x_Model", "The model; null where there is none."),
    ("x_PriceId", "The price row that applied (prices.price); null unless it is usage."),
];

pub(super) const INVOICE_DETAIL: Columns = &[
    ("BilledCost", "What the line adds to the amount to pay (BillingCurrency)."),
    ("BillingAccountId", "The customer's pseudonym."),
    ("BillingCurrency", "The currency of the document."),
    ("BillingPeriodEnd", "First moment after the billing period (UTC)."),
    ("BillingPeriodStart", "First moment of the billing period (UTC)."),
    ("ChargeCategory", "Usage, Tax, Credit, Purchase for what a commitment lacks, or Adjustment for a rounding."),
    ("InvoiceDetailCreated", "When the document was issued (UTC)."),
    ("InvoiceDetailDescription", "What it is and at what price, in words."),
    ("InvoiceDetailGrain", "What the line is of, as a JSON object."),
    ("InvoiceDetailId", "Which line it is: the document's number and what tells its lines apart."),
    ("InvoiceDetailLastUpdated", "When it was issued, or all of it taken back (UTC)."),
    ("InvoiceId", "Number of the invoice or credit note."),
    ("InvoiceIssueDate", "When the document was issued (UTC)."),
    ("InvoiceIssueStatus", "Issued, or Voided once credit notes took all of it back."),
    ("InvoiceIssuerName", "Code of the legal entity that issued it."),
    ("PaymentDueDate", "When it is to be paid (UTC); null for a credit note."),
    ("PaymentTerms", "Net with the days to pay, for example Net 30; Credit note where nothing is to be paid."),
    ("ReferenceInvoiceId", "The invoice that a credit note takes back; else InvoiceId."),
    ("x_ConsumedQuantity", "What was used, in x_ConsumedUnit; null unless it is usage."),
    ("x_ConsumedUnit", "The meter's unit; null unless it is usage."),
    ("x_Gpu", "The class of GPU; null where there is none."),
    ("x_ListUnitPrice", "Price of one x_PricingUnit (BillingCurrency); null unless it is usage."),
    ("x_Model", "The model; null where there is none."),
    ("x_PricingUnit", "What the price buys, for example 1000000 Tokens; null unless it is usage."),
];

pub(super) const BILLING_PERIOD: Columns = &[
    ("BillingPeriodCreated", "When the first charge or document in it was recorded (UTC)."),
    ("BillingPeriodEnd", "First moment after the month (UTC)."),
    ("BillingPeriodLastUpdated", "When it was closed; when it was created while it is open (UTC)."),
    ("BillingPeriodStart", "First moment of the month (UTC)."),
    ("BillingPeriodStatus", "Open or Closed: nothing in a closed one changes."),
    ("InvoiceIssuerName", "Code of the legal entity."),
];

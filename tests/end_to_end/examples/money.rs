//! Terms, currencies, payments, credits, grants, write-offs, exchanges, commitments and budgets:
//! from their natural form and back.

use serde_json::{Value, json};
use stempoint_core::budget::{Budget, BudgetOrder, Measure};
use stempoint_core::commitment::{Commitment, CommitmentOrder};
use stempoint_core::control::Act;
use stempoint_core::currencies::CurrencyOrder;
use stempoint_core::exchange::{ExchangeOrder, Money};
use stempoint_core::receivables::{CreditOrder, GrantOrder, PaymentOrder, WriteOffOrder};
use stempoint_core::terms::{Tax, Terms};
use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::{Amount, Quantity, Share};
use stempoint_schemas::time::{Instant, Month};

/// The act of an example; `None` for events of other kinds.
pub fn act(event: &str, input: &Value) -> Option<Act> {
    let some = |field: &str| input[field].as_str().map(str::to_owned);
    let needed = |field: &str| some(field).unwrap_or_else(|| panic!("an example has no {field}"));
    let amount = |text: String| Amount::parse(&text).expect("an amount");
    Some(match event {
        "terms" => {
            let rate = |text: String| Share::parse(&text).expect("a rate").expect("a part of 1");
            let tax = some("tax_name").map(|name| Tax { name, rate: rate(needed("tax_rate")) });
            let due_days = u32::try_from(input["due_days"].as_u64().expect("due_days")).expect("days");
            Act::Terms(some("customer"), Terms { entity: needed("entity"), due_days, tax })
        }
        "currency" => Act::Currency(CurrencyOrder {
            customer: some("customer"),
            currency: needed("currency"),
            from: Month::parse(&needed("from")).expect("a month"),
        }),
        "payment" => Act::Payment(PaymentOrder {
            customer: needed("customer"),
            currency: needed("currency"),
            amount: amount(needed("amount")),
            received_us: Instant::parse(&needed("received_at")).expect("received_at").us(),
            invoice: some("invoice"),
            reference: some("reference").unwrap_or_default(),
        }),
        "credit" => Act::Credit(CreditOrder {
            customer: needed("customer"),
            currency: needed("currency"),
            amount: some("amount").map(amount),
            invoice: some("invoice"),
            reason: needed("reason"),
        }),
        "grant" => Act::Grant(GrantOrder {
            customer: needed("customer"),
            currency: needed("currency"),
            amount: amount(needed("amount")),
            received_us: some("received_at").map(|text| Instant::parse(&text).expect("received_at").us()),
            priority: u32::try_from(input["priority"].as_u64().expect("priority")).expect("a priority"),
            from: Month::parse(&needed("from")).expect("a month"),
            until: some("until").map(|text| Month::parse(&text).expect("a month")),
            reason: needed("reason"),
        }),
        "write_off" => Act::WriteOff(WriteOffOrder {
            invoice: needed("invoice"),
            amount: some("amount").map(amount),
            is_put_back: input["put_back"].as_bool().unwrap_or_default(),
            reason: needed("reason"),
        }),
        "exchange" => {
            let money = |of: &str| Money {
                asset: needed(&format!("{of}_asset")),
                amount: amount(needed(&format!("{of}_amount"))),
            };
            Act::Exchange(ExchangeOrder {
                given: money("given"),
                got: money("got"),
                rate: some("rate").map(amount),
                received_us: Instant::parse(&needed("received_at")).expect("received_at").us(),
                reference: some("reference").unwrap_or_default(),
            })
        }
        "commitment" => Act::Commitment(CommitmentOrder {
            customer: needed("customer"),
            currency: needed("currency"),
            from: Month::parse(&needed("from")).expect("a month"),
            commitment: some("amount").map(|text| Commitment {
                amount: amount(text),
                months: u32::try_from(input["months"].as_u64().expect("months")).expect("months"),
            }),
        }),
        "budget" => {
            let limit = || match some("meter") {
                Some(meter) => Measure::Units {
                    meter: Meter::from_name(&meter).expect("a meter"),
                    quantity: Quantity::parse(&needed("quantity")).expect("a quantity"),
                },
                None => Measure::Money { currency: needed("currency"), amount: amount(needed("amount")) },
            };
            let parts = |parts: &Vec<Value>| {
                parts.iter().map(|part| u32::try_from(part.as_u64().expect("a threshold")).expect("per cent")).collect()
            };
            let budget = input["thresholds"].as_array().map(|thresholds| Budget {
                from: Month::parse(&needed("from")).expect("a month"),
                limit: limit(),
                thresholds: parts(thresholds),
            });
            Act::Budget(BudgetOrder { customer: needed("customer"), name: needed("name"), budget })
        }
        _ => return None,
    })
}

/// The same in its natural form; null for acts of other kinds.
pub fn as_json(act: &Act) -> Value {
    match act {
        Act::Terms(customer, terms) => json!({
            "customer": customer,
            "entity": terms.entity,
            "due_days": terms.due_days,
            "tax_name": terms.tax.as_ref().map(|tax| &tax.name),
            "tax_rate": terms.tax.as_ref().map(|tax| tax.rate.to_string()),
        }),
        Act::Payment(order) => json!({
            "customer": order.customer,
            "currency": order.currency,
            "amount": order.amount.to_string(),
            "received_at": Instant::from_us(order.received_us).expect("a time").to_string(),
            "invoice": order.invoice,
            "reference": order.reference,
        }),
        Act::Credit(order) => json!({
            "customer": order.customer,
            "currency": order.currency,
            "amount": order.amount.map(|amount| amount.to_string()),
            "invoice": order.invoice,
            "reason": order.reason,
        }),
        Act::Grant(order) => json!({
            "customer": order.customer,
            "currency": order.currency,
            "amount": order.amount.to_string(),
            "received_at": order.received_us.map(|us| Instant::from_us(us).expect("a time").to_string()),
            "priority": order.priority,
            "from": order.from.to_string(),
            "until": order.until.map(|until| until.to_string()),
            "reason": order.reason,
        }),
        Act::Currency(order) => json!({
            "customer": order.customer,
            "currency": order.currency,
            "from": order.from.to_string(),
        }),
        Act::WriteOff(order) => json!({
            "invoice": order.invoice,
            "amount": order.amount.map(|amount| amount.to_string()),
            "put_back": order.is_put_back,
            "reason": order.reason,
        }),
        Act::Exchange(order) => json!({
            "given_asset": order.given.asset,
            "given_amount": order.given.amount.to_string(),
            "got_asset": order.got.asset,
            "got_amount": order.got.amount.to_string(),
            "rate": order.rate.map(|rate| rate.to_string()),
            "received_at": Instant::from_us(order.received_us).expect("a time").to_string(),
            "reference": order.reference,
        }),
        Act::Commitment(order) => json!({
            "customer": order.customer,
            "currency": order.currency,
            "from": order.from.to_string(),
            "amount": order.commitment.map(|commitment| commitment.amount.to_string()),
            "months": order.commitment.map(|commitment| commitment.months),
        }),
        Act::Budget(order) => json!({
            "customer": order.customer,
            "name": order.name,
            "from": order.budget.as_ref().map(|budget| budget.from.to_string()),
            "limit": order.budget.as_ref().map(|budget| budget.limit.in_words()),
            "thresholds": order.budget.as_ref().map(|budget| &budget.thresholds),
        }),
        _ => Value::Null,
    }
}

//! Terms, payments and credits: from their natural form and back.

use serde_json::{Value, json};
use stempoint_core::control::Act;
use stempoint_core::receivables::{CreditOrder, PaymentOrder};
use stempoint_core::terms::{Tax, Terms};
use stempoint_schemas::money::{Amount, Share};
use stempoint_schemas::time::Instant;

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
        _ => Value::Null,
    }
}

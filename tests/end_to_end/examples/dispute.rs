//! Disputes and what becomes of them: from their natural form and back.

use serde_json::{Map, Value, json};
use stempoint_core::control::Act;
use stempoint_core::dispute::{DisputeOrder, ResolutionOrder};
use stempoint_schemas::meter::Dimension;
use stempoint_schemas::money::Amount;

/// The act of an example.
pub fn act(event: &str, input: &Value) -> Act {
    let some = |field: &str| input[field].as_str().map(str::to_owned);
    let needed = |field: &str| some(field).unwrap_or_else(|| panic!("an example has no {field}"));
    let amount = |field: &str| some(field).map(|text| Amount::parse(&text).expect("an amount"));
    if event == "resolution" {
        let (dispute, accepted, reason) = (needed("dispute"), amount("accepted"), needed("reason"));
        return Act::Resolution(ResolutionOrder { dispute, accepted, reason });
    }
    let named = |(name, value): (&String, &Value)| {
        (Dimension::from_name(name).expect("a dimension"), value.as_str().expect("a text").to_owned())
    };
    let mut dimensions: Vec<(Dimension, String)> =
        input["dimensions"].as_object().map(|of| of.iter().map(named).collect()).unwrap_or_default();
    dimensions.sort();
    Act::Dispute(DisputeOrder {
        document: needed("document"),
        price: needed("price"),
        dimensions,
        amount: amount("amount"),
        reason: needed("reason"),
    })
}

/// A dispute in its natural form.
pub fn dispute_as_json(order: &DisputeOrder) -> Value {
    let named = order.dimensions.iter().map(|(of, value)| (of.name().to_owned(), Value::from(value.as_str())));
    json!({
        "document": order.document,
        "price": order.price,
        "dimensions": named.collect::<Map<String, Value>>(),
        "amount": order.amount.map(|amount| amount.to_string()),
        "reason": order.reason,
    })
}

/// What becomes of one in its natural form.
pub fn resolution_as_json(order: &ResolutionOrder) -> Value {
    json!({
        "dispute": order.dispute,
        "accepted": order.accepted.map(|amount| amount.to_string()),
        "reason": order.reason,
    })
}

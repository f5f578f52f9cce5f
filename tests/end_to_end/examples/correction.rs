//! Corrections of usage events: from their natural form and back, with the
//! event that stands there.

use serde_json::{Value, json};
use stempoint_core::control::Act;
use stempoint_core::correction::{CorrectionOrder, EventId, Replacement, UsagePlace, UsageRow};
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::Quantity;
use stempoint_schemas::time::Instant;

fn some(input: &Value, field: &str) -> Option<String> {
    input[field].as_str().map(str::to_owned)
}

fn needed(input: &Value, field: &str) -> String {
    some(input, field).unwrap_or_else(|| panic!("an example has no {field}"))
}

fn id(input: &Value) -> EventId {
    let number = |field: &str| input[field].as_u64().expect("an event has an id or numbers");
    match some(input, "event") {
        Some(id) => EventId::Text(id),
        None => EventId::Number { incarnation: number("incarnation"), sequence: number("sequence") },
    }
}

fn quantities(input: &Value) -> Vec<(Meter, Quantity)> {
    let counted = |meter: Meter| {
        let quantity = some(&input["quantities"], meter.name())?;
        Some((meter, Quantity::parse(&quantity).expect("a quantity")))
    };
    Meter::ALL.into_iter().filter_map(counted).collect()
}

/// The order of an example.
pub fn act(input: &Value) -> Act {
    let by = &input["replacement"];
    let replacement = by.is_object().then(|| Replacement {
        customer: some(by, "customer"),
        provider: some(by, "provider"),
        dimensions: Dimension::ALL
            .into_iter()
            .filter_map(|dimension| Some((dimension, some(by, dimension.name())?)))
            .collect(),
        quantities: quantities(by),
    });
    Act::Correction(CorrectionOrder {
        place: UsagePlace { partition: 0, offset: input["offset"].as_u64().expect("an offset") },
        source: needed(input, "sender"),
        id: id(input),
        reason: needed(input, "reason"),
        replacement,
    })
}

/// The event that stands where the example's order says.
pub fn row(input: &Value) -> UsageRow {
    let row = &input["stands_there"];
    let mut counted = [0; Meter::ALL.len()];
    for (meter, quantity) in quantities(row) {
        counted[meter.index()] = quantity.nano();
    }
    UsageRow {
        source: needed(input, "sender"),
        id: id(input),
        time_us: Instant::parse(&needed(row, "time")).expect("a time").us(),
        customer: needed(row, "customer"),
        provider: needed(row, "provider"),
        model: some(row, "model"),
        gpu: some(row, "gpu"),
        region: some(row, "region"),
        quantities: counted,
    }
}

/// An order in its natural form.
pub fn as_json(order: &CorrectionOrder) -> Value {
    let replacement = order.replacement.as_ref().map(|by| {
        let dimensions = by.dimensions.iter().map(|(dimension, value)| (dimension.name().to_owned(), json!(value)));
        let counted =
            by.quantities.iter().map(|(meter, quantity)| (meter.name().to_owned(), json!(quantity.to_string())));
        json!({
            "customer": by.customer,
            "provider": by.provider,
            "dimensions": dimensions.collect::<serde_json::Map<_, _>>(),
            "quantities": counted.collect::<serde_json::Map<_, _>>(),
        })
    });
    json!({
        "place": order.place.to_string(),
        "source": order.source,
        "event": order.id.to_string(),
        "reason": order.reason,
        "replacement": replacement,
    })
}

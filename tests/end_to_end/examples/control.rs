//! Control events: from their natural form to their rows and back.

use prost::Message;
use serde_json::{Value, json};
use stempoint_core::book::BookPrice;
use stempoint_core::charge_model::{ChargeModel, Charging, PERCENT_SCALE};
use stempoint_core::control::{Act, Waive, from_proto, to_proto};
use stempoint_core::price_file;
use stempoint_core::settlement::{ControlRecord, Need, Settlement, Supply};
use stempoint_core::share::{BookShare, Earner};
use stempoint_ingest::settlement::{rows, settle_event};
use stempoint_schemas::canonical::settlement_leaves;
use stempoint_schemas::decimal::format as format_decimal;
use stempoint_schemas::hash::{content_hash, fingerprint, hex};
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::proto;
use stempoint_schemas::time::{Instant, Month};
use stempoint_schemas::watermark::Watermarks;

use super::{correction, dispute, money};
use crate::rows::texts;

/// Everything that follows from a control event that is the first on its log.
pub fn follow(event: &str, input: &Value) -> Value {
    let source = text(input, "source");
    let bytes = bytes(event, source, input);
    let content = content_hash(source.as_bytes(), &bytes);
    let decoded = proto::ControlEvent::decode(&bytes[..]).expect("what was encoded can be decoded");
    let act = from_proto(&decoded).expect("an example is valid");
    assert_eq!(to_proto(&decoded.id, &act).encode_to_vec(), bytes, "the act gives the bytes back");
    let (tables, leaves) = settle(source, &bytes, input);
    json!({
        "id": decoded.id,
        "key": source,
        "bytes": hex(&bytes),
        "content_hash": hex(&content),
        "fingerprint": format!("{:016x}", fingerprint(&content)),
        "act": as_json(&act),
        "rows": tables,
        "leaves": leaves,
    })
}

fn bytes(event: &str, source: &str, input: &Value) -> Vec<u8> {
    let act = match event {
        "price_book" => {
            let lines: Vec<&str> = array(input, "file").iter().map(|line| line.as_str().expect("a line")).collect();
            Act::PriceBook(price_file::read(&lines.join("\n")).expect("an example is valid"))
        }
        "settle" => {
            let marks = array(input, "watermarks").iter().map(|mark| mark.as_u64().expect("an offset"));
            let batch = settle_event(source, &Watermarks::from_vec(marks.collect()));
            // The same watermarks have the same id, whoever settles them.
            return batch.iter().next().expect("one record").1.to_vec();
        }
        "closing" => {
            let marks = array(input, "watermarks").iter().map(|mark| mark.as_u64().expect("an offset"));
            Act::Closing(month(input), Watermarks::from_vec(marks.collect()))
        }
        "closed" => {
            Act::Closed { period: month(input), has_statements: input["statements"].as_bool().unwrap_or_default() }
        }
        "correction" => correction::act(input),
        "dispute" | "resolution" => dispute::act(event, input),
        "terms" | "payment" | "credit" | "budget" | "commitment" | "grant" | "write_off" | "exchange" | "currency" => {
            money::act(event, input).expect("an act of that kind")
        }
        _ => Act::Waive(Waive {
            meter: Meter::from_name(text(input, "meter")).expect("a meter"),
            period: month(input),
            matches: matches(input),
            reason: text(input, "reason").to_owned(),
        }),
    };
    to_proto(text(input, "id"), &act).encode_to_vec()
}

fn dimensions(matches: &[(Dimension, String)]) -> serde_json::Map<String, Value> {
    matches.iter().map(|(d, value)| (d.name().to_owned(), json!(value))).collect()
}

/// A price; its customer and a charge model only where there is one.
fn price_as_json(price: &BookPrice) -> Value {
    let mut found = json!({
        "meter": price.meter.name(),
        "match": dimensions(&price.matches),
        "per": price.price.per().to_string(),
        "amount": price.price.amount().to_string(),
    });
    if let Some(customer) = &price.customer {
        found["match"]["customer"] = customer.as_str().into();
    }
    let Charging { model, minimum } = &price.charging;
    if !price.charging.is_linear() {
        let tiers = model.tiers().iter().map(|tier| {
            let up_to = tier.up_to.map(|up_to| up_to.to_string());
            json!({ "up_to": up_to, "amount": tier.amount.to_string(), "flat": tier.flat.to_string() })
        });
        found["tiers"] = tiers.collect();
        found["charge_model"] = model.name().into();
        found["minimum"] = minimum.to_string().into();
        if let ChargeModel::Percentage(percent) = model {
            found["percent"] = format_decimal(i128::from(*percent), PERCENT_SCALE).into();
        }
    }
    found
}

fn share_as_json(share: &BookShare) -> Value {
    let (key, part) = match &share.earner {
        Earner::Provider => ("provider", json!(share.part.to_string())),
        owner => ("owner", json!(owner.to_string())),
    };
    let mut found = json!({ "meter": share.meter.name(), key: part });
    if share.earner != Earner::Provider {
        found["part"] = share.part.to_string().into();
        found["match"] = Value::Object(dimensions(&share.matches));
        found["providers"] = share.providers.iter().map(String::as_str).collect();
    }
    found
}

/// Hands the event to a settlement that has seen nothing; gives the rows by
/// table, and their leaves in the Merkle tree.
fn settle(source: &str, bytes: &[u8], input: &Value) -> (Value, Vec<String>) {
    let mut settlement = Settlement::new("USD");
    let recorded_us = Instant::parse(text(input, "recorded_at")).expect("recorded_at").us();
    let offset = settled_before(&mut settlement, recorded_us, input);
    let record = ControlRecord { offset, recorded_us, key: Some(source.as_bytes()), value: bytes };
    let pending = settlement.read(record);
    let supply = match &pending.need {
        Need::Nothing => Supply::Nothing,
        Need::Charges(_) => Supply::Charges(Vec::new()),
        Need::ChargesAndServed(..) => Supply::ChargesAndServed(Vec::new(), Default::default()),
        Need::Usage { .. } => Supply::Usage(Default::default()),
        Need::Row(_) => Supply::Row(Some(Box::new(correction::row(input)))),
    };
    let outcome = settlement.apply(pending, supply).expect("nothing overflows");
    let (mut tables, mut leaves) = (serde_json::Map::new(), Vec::new());
    for (table, batch) in rows::batches(&settlement, &outcome).expect("rows can be built") {
        let of_table = settlement_leaves(table.name, &batch).expect("rows have their columns");
        leaves.extend(of_table.iter().map(|leaf| hex(leaf)));
        tables.insert(table.name.to_owned(), json!(texts(&batch)));
    }
    (tables.into(), leaves)
}

/// Settles up to the offset that an example says was settled before its event;
/// gives the event's own offset.
fn settled_before(settlement: &mut Settlement, recorded_us: i64, input: &Value) -> u64 {
    let Some(to) = input["settled_to"].as_u64() else { return 0 };
    let batch = settle_event("settlement/leader", &Watermarks::from_vec(vec![to]));
    let (key, value) = batch.iter().next().expect("one record");
    let record = ControlRecord { offset: 0, recorded_us, key: Some(key), value };
    let pending = settlement.read(record);
    settlement.apply(pending, Supply::Usage(Default::default())).expect("nothing overflows");
    1
}

fn as_json(act: &Act) -> Value {
    match act {
        Act::PriceBook(book) => json!({
            "currency": book.currency,
            "effective_from": book.effective_from.start().to_string(),
            "prices": book.prices.iter().map(price_as_json).collect::<Vec<_>>(),
            "shares": book.shares.iter().map(share_as_json).collect::<Vec<_>>(),
        }),
        Act::Settle(watermarks) => json!({ "watermarks": watermarks.to_string() }),
        Act::Waive(waive) => json!({
            "meter": waive.meter.name(),
            "period": waive.period.to_string(),
            "match": dimensions(&waive.matches),
            "reason": waive.reason,
        }),
        Act::Closing(period, watermarks) => {
            json!({ "period": period.to_string(), "watermarks": watermarks.to_string() })
        }
        Act::Closed { period, has_statements } => {
            let mut closed = json!({ "period": period.to_string() });
            if *has_statements {
                closed["statements"] = true.into();
            }
            closed
        }
        Act::Correction(order) => correction::as_json(order),
        Act::Dispute(order) => dispute::dispute_as_json(order),
        Act::Resolution(order) => dispute::resolution_as_json(order),
        Act::Terms(..)
        | Act::Payment(_)
        | Act::Credit(_)
        | Act::Budget(_)
        | Act::Commitment(_)
        | Act::Grant(_)
        | Act::WriteOff(_)
        | Act::Currency(_)
        | Act::Exchange(_) => money::as_json(act),
    }
}

fn month(input: &Value) -> Month {
    Month::parse(text(input, "period")).expect("a month")
}

fn matches(input: &Value) -> Vec<(Dimension, String)> {
    let given = input["match"].as_object().expect("match is an object");
    given
        .iter()
        .map(|(name, value)| {
            (Dimension::from_name(name).expect("a dimension"), value.as_str().expect("text").to_owned())
        })
        .collect()
}

fn text<'a>(input: &'a Value, field: &str) -> &'a str {
    input[field].as_str().unwrap_or_else(|| panic!("{field} of {input} is a text"))
}

fn array<'a>(input: &'a Value, field: &str) -> &'a [Value] {
    input[field].as_array().unwrap_or_else(|| panic!("{field} of {input} is an array"))
}

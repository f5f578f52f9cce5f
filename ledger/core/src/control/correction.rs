//! Corrections from and to their protobuf form.
//!
//! Invariant: what is written is read back as the same act.

use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::Quantity;
use stempoint_schemas::proto;

use super::meter_from;
use super::money::{plain, quantity};
use crate::correction::{CorrectionOrder, EventId, Replacement, UsagePlace};

pub(super) fn correction_from(wire: &proto::Correction) -> Result<CorrectionOrder, String> {
    let is_numbered = wire.incarnation != 0 || wire.sequence != 0;
    let id = match (wire.id.is_empty(), is_numbered) {
        (false, true) => return Err("an event has an id or a number, not both".to_owned()),
        (true, _) => EventId::Number { incarnation: wire.incarnation, sequence: wire.sequence },
        (false, false) => EventId::Text(plain("event", &wire.id)?),
    };
    let partition = wire.partition;
    Ok(CorrectionOrder {
        place: UsagePlace { partition, offset: wire.offset },
        source: plain("source", &wire.source)?,
        id,
        reason: plain("reason", &wire.reason)?,
        replacement: wire.replacement.as_ref().map(replacement_from).transpose()?,
    })
}

pub(super) fn correction_to(order: &CorrectionOrder) -> proto::Correction {
    let (id, incarnation, sequence) = match &order.id {
        EventId::Text(id) => (id.clone(), 0, 0),
        EventId::Number { incarnation, sequence } => (String::new(), *incarnation, *sequence),
    };
    proto::Correction {
        partition: order.place.partition,
        offset: order.place.offset,
        source: order.source.clone(),
        id,
        incarnation,
        sequence,
        reason: order.reason.clone(),
        replacement: order.replacement.as_ref().map(replacement_to),
    }
}

fn replacement_from(wire: &proto::Replacement) -> Result<Replacement, String> {
    let some = |what, text: &str| (!text.is_empty()).then(|| plain(what, text)).transpose();
    let mut replacement = Replacement {
        customer: some("customer", &wire.customer)?,
        provider: some("provider", &wire.provider)?,
        ..Replacement::default()
    };
    for (dimension, text) in
        [(Dimension::Model, &wire.model), (Dimension::Gpu, &wire.gpu), (Dimension::Region, &wire.region)]
    {
        if let Some(value) = some(dimension.name(), text)? {
            replacement.dimensions.push((dimension, value));
        }
    }
    for counted in &wire.quantities {
        let meter = meter_from(&counted.meter)?;
        if replacement.quantities.iter().any(|(known, _)| *known == meter) {
            return Err(format!("{meter} stands there twice"));
        }
        replacement.quantities.push((meter, quantity(&counted.quantity)?));
    }
    if replacement == Replacement::default() {
        return Err("a replacement must change something".to_owned());
    }
    Ok(replacement)
}

fn replacement_to(replacement: &Replacement) -> proto::Replacement {
    let of = |wanted: Dimension| {
        let found = replacement.dimensions.iter().find(|(dimension, _)| *dimension == wanted);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let counted = |(meter, quantity): &(Meter, Quantity)| proto::MeterQuantity {
        meter: meter.name().to_owned(),
        quantity: quantity.to_string(),
    };
    proto::Replacement {
        customer: replacement.customer.clone().unwrap_or_default(),
        provider: replacement.provider.clone().unwrap_or_default(),
        model: of(Dimension::Model),
        gpu: of(Dimension::Gpu),
        region: of(Dimension::Region),
        quantities: replacement.quantities.iter().map(counted).collect(),
    }
}

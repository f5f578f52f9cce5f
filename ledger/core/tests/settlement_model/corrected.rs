//! Corrections, slowly: an event that is corrected leaves the list of usage
//! rows, and what it should have said joins it.

use proptest::prelude::*;
use stempoint_core::charge::Side;
use stempoint_core::control::Act;
use stempoint_core::correction::{CorrectionOrder, EventId, Replacement, UsagePlace, UsageRow};
use stempoint_core::settlement::Answer;
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::Quantity;
use stempoint_schemas::time::Month;

use crate::books::Books;
use crate::model::Model;
use crate::scenario::{Row, Step, book, closing_step, encoded, named_of, row, waive_step};

/// Who sends every usage row.
const SENDER: &str = "gateway/test";

/// What is changed of a row: names as numbers, and amounts.
#[derive(Debug, Clone)]
pub struct Changed {
    pub customer: Option<u8>,
    pub provider: Option<u8>,
    pub model: Option<u8>,
    pub region: Option<u8>,
    pub amounts: [Option<u32>; 3],
}

/// Which row is corrected, whether the order names another one by mistake, and
/// what changes; nothing for one that is taken back.
#[derive(Debug, Clone)]
pub struct CorrectSpec {
    which: usize,
    is_mistaken: bool,
    changed: Option<Changed>,
}

/// A row that was sent: what it says now, nothing once it was taken back, and
/// where it is billed if nothing moves it.
#[derive(Debug, Clone)]
pub struct Sent {
    pub now: Option<Row>,
    pub period: Month,
}

fn changed() -> impl Strategy<Value = Changed> {
    let amount = || prop::option::weighted(0.4, prop_oneof![Just(0), 0..2_000_000_u32]);
    let names = (prop::option::weighted(0.3, 0..3_u8), prop::option::weighted(0.2, 0..3_u8));
    let dimensions = (prop::option::weighted(0.3, 0..2_u8), prop::option::weighted(0.2, 0..2_u8));
    (names, dimensions, [amount(), amount(), amount()]).prop_map(|(names, dimensions, amounts)| Changed {
        customer: names.0,
        provider: names.1,
        model: dimensions.0,
        region: dimensions.1,
        amounts,
    })
}

pub fn correct_step() -> impl Strategy<Value = Step> {
    (any::<usize>(), prop::bool::weighted(0.1), prop::option::weighted(0.6, changed()))
        .prop_map(|(which, is_mistaken, changed)| Step::Correct(CorrectSpec { which, is_mistaken, changed }))
}

/// Steps of which most correct a few rows, while prices come and months close.
pub fn corrected_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop::collection::vec(row(), 1..4).prop_map(Step::Settle),
        6 => correct_step(),
        2 => book().prop_map(Step::Book),
        2 => waive_step(),
        1 => closing_step(),
        1 => (0..3).prop_map(Step::Closed),
        1 => Just(Step::CloseNext),
        1 => any::<bool>().prop_map(|from_checkpoint| Step::Restart { from_checkpoint }),
    ]
}

/// The row at an offset as its table has it.
pub fn stored(rows: &[Row], offset: u64) -> Option<UsageRow> {
    let row = rows.get(usize::try_from(offset).unwrap())?;
    let named = named_of(row.kind, row.model);
    let (model, gpu) = if row.kind == 0 { (Some(named), None) } else { (None, Some(named)) };
    Some(UsageRow {
        source: SENDER.to_owned(),
        id: EventId::Text(format!("row-{offset}")),
        time_us: row.hour().start().us() + 1,
        customer: row.place(Side::Customer, Meter::Requests).1,
        provider: row.place(Side::Provider, Meter::Requests).1,
        model,
        gpu,
        region: row.region.map(|region| format!("region-{region}")),
        quantities: row.quantities(),
    })
}

/// Corrects a row on both sides, if it can be.
pub fn correct(books: &mut Books, model: &mut Model, spec: &CorrectSpec) {
    // One in as many as there are rows is none that was settled.
    let which = spec.which % (books.rows.len() + 1);
    let sent = model.sent.get(which).cloned();
    let kind = sent.as_ref().and_then(|sent| sent.now.as_ref()).map_or(0, |row| row.kind);
    let put =
        sent.as_ref().and_then(|sent| sent.now.as_ref()).map(|now| spec.changed.as_ref().map(|by| changed_to(now, by)));
    let can_be = match (&sent, &put) {
        (Some(Sent { now: Some(now), .. }), Some(put)) => {
            let after = put.as_ref().unwrap_or(now);
            let is_other = put.as_ref().is_none_or(|put| said(put) != said(now));
            !spec.is_mistaken && is_other && after.quantities().iter().any(|quantity| *quantity != 0)
        }
        _ => false,
    };
    let offset = which as u64;
    let id = if spec.is_mistaken { "another".to_owned() } else { format!("row-{offset}") };
    let order = CorrectionOrder {
        place: UsagePlace { partition: 0, offset },
        source: SENDER.to_owned(),
        id: EventId::Text(id),
        reason: "a test".to_owned(),
        replacement: spec.changed.as_ref().map(|by| replacement(kind, by)),
    };
    // An order that changes nothing is refused before anything else is looked at.
    let answer = if can_be { Answer::Applied } else { Answer::Refused };
    let id = format!("event-{}", books.controls.len());
    assert_eq!(books.handle(&encoded(&id, &Act::Correction(order))), answer, "{spec:?} of {sent:?}");
    if can_be {
        model.correct(which, put.flatten());
    }
}

/// Everything that is charged of a row.
fn said(row: &Row) -> (u8, u8, u8, Option<u8>, [i128; 6]) {
    (row.customer, row.provider, row.model, row.region, row.quantities())
}

fn changed_to(now: &Row, by: &Changed) -> Row {
    let mut row = now.clone();
    row.customer = by.customer.unwrap_or(row.customer);
    row.provider = by.provider.unwrap_or(row.provider);
    row.model = by.model.unwrap_or(row.model);
    row.region = by.region.or(row.region);
    for (amount, by) in row.amounts.iter_mut().zip(by.amounts) {
        *amount = by.unwrap_or(*amount);
    }
    row
}

/// The same change as an order says it.
fn replacement(kind: u8, by: &Changed) -> Replacement {
    let named = if kind == 0 { Dimension::Model } else { Dimension::Gpu };
    let model = by.model.map(|model| (named, named_of(kind, model)));
    let region = by.region.map(|region| (Dimension::Region, format!("region-{region}")));
    let counted = Row { kind, amounts: by.amounts.map(Option::unwrap_or_default), ..Row::default() }.quantities();
    // The positions of the meters that a row's amounts stand for.
    let meters: &[usize] = if kind == 0 { &[0, 1, 2] } else { &[4, 5] };
    let quantities = meters.iter().zip(by.amounts).filter(|(_, amount)| amount.is_some());
    Replacement {
        customer: by.customer.map(|customer| format!("customer-{customer}")),
        provider: by.provider.map(|provider| format!("provider-{provider}")),
        dimensions: model.into_iter().chain(region).collect(),
        quantities: quantities
            .map(|(&meter, _)| (Meter::ALL[meter], Quantity::from_nano(counted[meter]).unwrap()))
            .collect(),
    }
}

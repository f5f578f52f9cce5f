//! Disputes, slowly: a list of them, and each line's amount worked out anew from
//! all usage whenever it is asked for.

use proptest::prelude::*;
use stempoint_core::charge::{PriceId, Side};
use stempoint_core::control::Act;
use stempoint_core::dispute::{DisputeOrder, ResolutionOrder};
use stempoint_core::settlement::Answer;
use stempoint_schemas::meter::Dimension;
use stempoint_schemas::money::Amount;

use crate::books::Books;
use crate::model::Model;
use crate::owed::CENT;
use crate::scenario::{Place, Step, encoded, row};

/// Which line of which document somebody does not agree to, and how many cents
/// of it.
#[derive(Debug, Clone)]
pub struct DisputeSpec {
    of_provider: bool,
    document: usize,
    line: usize,
    cents: Option<u32>,
    is_mistaken: bool,
}

/// Which dispute is resolved, and how many cents of it are accepted.
#[derive(Debug, Clone)]
pub struct ResolveSpec {
    which: usize,
    cents: Option<u32>,
}

/// A dispute of the model; amounts in 10^-12.
#[derive(Debug, Clone)]
pub struct Contested {
    name: String,
    document: String,
    party: String,
    line: (Place, (usize, usize)),
    amount: i128,
    aside: i128,
    /// Nothing while it is open.
    accepted: Option<i128>,
}

impl Contested {
    fn is_of_provider(&self) -> bool {
        self.line.0.0 == Side::Provider
    }
}

pub fn dispute_step() -> impl Strategy<Value = Step> {
    let cents = prop::option::weighted(0.6, prop_oneof![0..30_u32, 0..3_000_u32]);
    (prop::bool::weighted(0.4), any::<usize>(), any::<usize>(), cents, prop::bool::weighted(0.1)).prop_map(
        |(of_provider, document, line, cents, is_mistaken)| {
            Step::Dispute(DisputeSpec { of_provider, document, line, cents, is_mistaken })
        },
    )
}

pub fn resolve_step() -> impl Strategy<Value = Step> {
    let cents = prop_oneof![1 => Just(0), 2 => 0..30_u32];
    (any::<usize>(), prop::option::weighted(0.7, cents))
        .prop_map(|(which, cents)| Step::Resolve(ResolveSpec { which, cents }))
}

/// Steps of which most are disputes, while money comes and months close.
pub fn disputed_step() -> impl Strategy<Value = Step> {
    let rows = prop::collection::vec(row(), 1..4).prop_map(|mut rows| {
        rows.iter_mut().for_each(|row| (row.customer, row.provider) = (row.customer % 2, row.provider % 2));
        Step::Settle(rows)
    });
    let invoice = || prop::option::weighted(0.7, any::<usize>());
    prop_oneof![
        3 => rows,
        3 => Just(Step::CloseNext),
        8 => dispute_step(),
        5 => resolve_step(),
        1 => (prop::option::of(0..3_u8), 0..2_u8, 0..=25_u8)
            .prop_map(|(customer, entity, per_cent)| Step::Terms(customer, entity, per_cent)),
        3 => (0..2_u8, 1..400_u32, invoice())
            .prop_map(|(customer, cents, named)| Step::Payment(customer, cents, named)),
        1 => (0..2_u8, prop::option::weighted(0.8, 1..60_u32), invoice())
            .prop_map(|(customer, cents, named)| Step::Credit(customer, cents, named)),
        1 => (any::<usize>(), prop::option::weighted(0.6, 0..80_u32), any::<bool>())
            .prop_map(|(which, cents, is_put_back)| Step::WriteOff { which, cents, is_put_back }),
        2 => any::<bool>().prop_map(|from_checkpoint| Step::Restart { from_checkpoint }),
    ]
}

fn some_cents(cents: Option<u32>) -> Option<i128> {
    cents.map(|cents| i128::from(cents) * CENT)
}

/// Has both open a dispute, if it can be.
pub fn dispute(books: &mut Books, model: &mut Model, spec: &DisputeSpec) {
    let side = if spec.of_provider { Side::Provider } else { Side::Customer };
    let documents: Vec<_> = match side {
        Side::Customer => {
            model.owed.invoices.iter().map(|of| (of.number.clone(), of.customer.clone(), of.period)).collect()
        }
        Side::Provider => model.stated.iter().map(|of| (of.0.clone(), of.1.clone(), of.2)).collect(),
    };
    let Some((number, party, period)) = documents.get(spec.document % documents.len().max(1)).cloned() else { return };
    let lines = model.lines(side, &party, period);
    let Some((place, price, exact)) = lines.get(spec.line % lines.len().max(1)).cloned() else { return };
    let line = (place, price);
    let asked = some_cents(spec.cents);
    let name = format!("dispute-{}", books.controls.len());
    let of_line = || model.disputes.iter().filter(|dispute| (&dispute.document, &dispute.line) == (&number, &line));
    let amount = match side {
        Side::Customer => {
            let taken: i128 = of_line().map(|dispute| dispute.accepted.unwrap_or(dispute.amount)).sum();
            let of_line = model.owed.with_tax(&number, exact) - taken;
            let left = of_line.min(model.owed.left(&number));
            Some(asked.unwrap_or(left)).filter(|amount| *amount > 0 && *amount <= left)
        }
        Side::Provider => {
            let is_free = of_line().all(|dispute| dispute.accepted.is_some());
            asked.filter(|amount| *amount > 0 && is_free)
        }
    };
    let amount = amount.filter(|_| !spec.is_mistaken);
    let answer = if amount.is_some() { Answer::Applied } else { Answer::Refused };
    let act = Act::Dispute(order(books, &number, &line, asked, spec.is_mistaken));
    let id = format!("event-{}", books.controls.len());
    assert_eq!(books.handle(&encoded(&id, &act)), answer, "{spec:?} of {line:?} in {number}");
    if let Some(amount) = amount {
        let aside = if side == Side::Customer { model.owed.dispute(&number, amount) } else { 0 };
        model.disputes.push(Contested { name, document: number, party, line, amount, aside, accepted: None });
    }
}

fn order(
    books: &Books,
    number: &str,
    ((_, _, meter, named, region), (book, position)): &(Place, (usize, usize)),
    asked: Option<i128>,
    is_mistaken: bool,
) -> DisputeOrder {
    let region = (!region.is_empty()).then(|| (Dimension::Region, region.clone()));
    // A line without the model that it is of is none.
    let named = (!is_mistaken).then(|| (meter.dimensions()[0], named.clone()));
    DisputeOrder {
        document: number.to_owned(),
        price: books.settlement.price_name(PriceId { book: *book as u32, position: *position as u32 }),
        dimensions: named.into_iter().chain(region).collect(),
        amount: asked.map(|amount| Amount::from_pico(amount).unwrap()),
        reason: "it was not so".to_owned(),
    }
}

/// Has both resolve a dispute, if it can be.
pub fn resolve(books: &mut Books, model: &mut Model, spec: &ResolveSpec) {
    // One in as many as there are disputes is none.
    let which = spec.which % (model.disputes.len() + 1);
    let found = model.disputes.get(which).cloned();
    let asked = some_cents(spec.cents);
    let accepted = found
        .as_ref()
        .filter(|dispute| dispute.accepted.is_none())
        .and_then(|dispute| Some(asked.unwrap_or(dispute.amount)).filter(|accepted| *accepted <= dispute.amount));
    let order = ResolutionOrder {
        dispute: found.as_ref().map_or_else(|| "dispute-999999".to_owned(), |dispute| dispute.name.clone()),
        accepted: asked.map(|amount| Amount::from_pico(amount).unwrap()),
        reason: "the logs say so".to_owned(),
    };
    let answer = if accepted.is_some() { Answer::Applied } else { Answer::Refused };
    let id = format!("event-{}", books.controls.len());
    assert_eq!(books.handle(&encoded(&id, &Act::Resolution(order))), answer, "{spec:?} of {found:?}");
    if let (Some(dispute), Some(accepted)) = (found, accepted) {
        model.disputes[which].accepted = Some(accepted);
        if dispute.is_of_provider() {
            model.give(&dispute.party, accepted);
        } else {
            model.owed.resolve(&dispute.document, (dispute.amount, dispute.aside, accepted));
        }
    }
}

//! The state machine over tables that are lists in memory.

use std::collections::{BTreeMap, BTreeSet};

use stempoint_core::budget::Alert;
use stempoint_core::charge::{Charge, ChargeKey, PriceId, Side, State};
use stempoint_core::commitment::TrueUp;
use stempoint_core::correction::{Correction, Metered, UsagePlace};
use stempoint_core::dispute::{Dispute, DisputeChange};
use stempoint_core::names::{Name, Names};
use stempoint_core::payables::ProviderStatement;
use stempoint_core::posting::{Account, RoundingKey};
use stempoint_core::receivables::{Allocation, Document, Payment};
use stempoint_core::settlement::{Answer, ChargeFilter, ControlRecord, Need, Outcome, Settlement, Supply};
use stempoint_core::usage::{Dimensions, Served, ServedCell, ServedFilter, Usage, UsageCell};
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::{Amount, Quantity};
use stempoint_schemas::time::{Hour, Month};

use crate::agreed::TrueUpRow;
use crate::corrected::stored;
use crate::currencies::{holder, of_holder};
use crate::model::{Rated, StatedRow};
use crate::scenario::{Place, Row, named_of};
use crate::watched::AlertRow;

const SOURCE: &[u8] = b"operator/test";
/// When all months of the scenarios are over.
const RECORDED_US: i64 = i64::MAX;

/// A charge in texts, as it stands in its table, with its hour and its billing
/// period.
pub type StoredCharge = (Place, (i32, Month), Rated, i128);

/// The tables and the state machine over them.
pub struct Books {
    pub settlement: Settlement,
    pub rows: Vec<Row>,
    pub controls: Vec<(Vec<u8>, Answer)>,
    pub charges: Vec<StoredCharge>,
    pub balances: BTreeMap<String, i128>,
    /// What each event did to the receivables, as it stands in the tables.
    receivables: Vec<Changes>,
    /// What the journal says of charge models: customer, billing period, amount.
    adjustments: Vec<(String, Month, Amount)>,
    /// What commitments lacked.
    pub true_ups: Vec<TrueUpRow>,
    /// Alerts with the control event and the customer of each.
    alerts: Vec<(u64, String, Alert)>,
    /// Corrections: where the event stands, the control event, and what is
    /// charged since.
    corrections: Vec<(UsagePlace, u64, Option<Metered>)>,
    /// Providers' statements, with the provider and the currency of each, and
    /// steps of disputes.
    payables: Vec<Payable>,
    /// The texts that the receivables have.
    stored_names: Names,
}

/// A row of statements or of disputes.
enum Payable {
    Statement(String, String, ProviderStatement),
    Dispute(DisputeChange),
}

type Changes = (Vec<Document>, Option<Payment>, Vec<Allocation>);

/// The same rows with names of another state.
fn moved((documents, payment, allocations): &Changes, from: &Names, to: &mut Names) -> Changes {
    let mut name = |name: Name| to.intern(from.text(name).unwrap_or_default());
    let documents = documents.iter().map(|document| Document {
        customer: name(document.customer),
        currency: name(document.currency),
        ..document.clone()
    });
    let documents = documents.collect();
    let payment = payment.as_ref().map(|payment| Payment {
        customer: name(payment.customer),
        currency: name(payment.currency),
        ..payment.clone()
    });
    let allocations = allocations.iter().map(|allocation| Allocation {
        customer: name(allocation.customer),
        currency: name(allocation.currency),
        ..allocation.clone()
    });
    let allocations = allocations.collect();
    (documents, payment, allocations)
}

/// The same with names of another state. What is read back of a step that
/// resolves says no more than how much was accepted.
fn disputed(change: &DisputeChange, from: &Names, to: &mut Names) -> DisputeChange {
    let mut name = |name: Name| to.intern_some(from.text(name));
    let DisputeChange { dispute, amount, .. } = change;
    let Dimensions { model, gpu, region } = dispute.line.dimensions;
    let dimensions = Dimensions { model: name(model), gpu: name(gpu), region: name(region) };
    let line = RoundingKey { party: name(dispute.line.party), dimensions, ..dispute.line };
    let dispute = Dispute { currency: name(dispute.currency), line, amount: *amount, ..dispute.clone() };
    DisputeChange { dispute, ..change.clone() }
}

/// The same with names of another state.
fn renamed(put: Metered, from: &Names, to: &mut Names) -> Metered {
    let mut name = |name: Name| to.intern_some(from.text(name));
    let Dimensions { model, gpu, region } = put.dimensions;
    Metered {
        customer: name(put.customer),
        provider: name(put.provider),
        dimensions: Dimensions { model: name(model), gpu: name(gpu), region: name(region) },
        ..put
    }
}

fn dimensions(row: &Row, names: &mut Names) -> Dimensions {
    let named = names.intern(&named_of(row.kind, row.model));
    let region = names.intern_some(row.region.map(|region| format!("region-{region}")).as_deref());
    let (model, gpu) = if row.kind == 0 { (named, Name::NONE) } else { (Name::NONE, named) };
    Dimensions { model, gpu, region }
}

impl Books {
    pub fn new() -> Books {
        Books {
            settlement: Settlement::new("USD"),
            rows: Vec::new(),
            controls: Vec::new(),
            charges: Vec::new(),
            balances: BTreeMap::new(),
            receivables: Vec::new(),
            adjustments: Vec::new(),
            true_ups: Vec::new(),
            alerts: Vec::new(),
            corrections: Vec::new(),
            payables: Vec::new(),
            stored_names: Names::default(),
        }
    }

    /// Has the state machine handle an event; gives its answer.
    pub fn handle(&mut self, value: &[u8]) -> Answer {
        let offset = self.controls.len() as u64;
        let record = ControlRecord { offset, recorded_us: RECORDED_US, key: Some(SOURCE), value };
        let pending = self.settlement.read(record);
        let supply = match &pending.need {
            Need::Nothing => Supply::Nothing,
            Need::Usage { from, to, apart } => Supply::Usage(self.usage(from.get(0), to.get(0), apart)),
            Need::ChargesAndServed(filter, served) => {
                let (filter, served) = (filter.clone(), self.served(served));
                Supply::ChargesAndServed(self.charges_for(&filter), served)
            }
            Need::Row(place) => Supply::Row(stored(&self.rows, place.offset).map(Box::new)),
            Need::Charges(filter) => {
                let filter = filter.clone();
                Supply::Charges(self.charges_for(&filter))
            }
        };
        let last_closed = self.settlement.periods().last_closed();
        let outcome = self.settlement.apply(pending, supply).unwrap();
        let periods = outcome.charges.iter().map(|charge| charge.key.period);
        for period in periods.chain(outcome.entries.iter().filter_map(|entry| entry.period)) {
            assert!(last_closed.is_none_or(|last| period > last), "a row in {period}, when {last_closed:?} was closed");
        }
        for entry in &outcome.entries {
            let closed_us = last_closed.map_or(i64::MIN, |last| last.end().us());
            assert!(entry.effective_us >= closed_us, "an entry counts from within a month that was closed: {entry:?}");
        }
        self.store(&outcome);
        self.controls.push((value.to_vec(), outcome.control.answer));
        outcome.control.answer
    }

    fn usage(&self, from: u64, to: u64, apart: &BTreeSet<String>) -> Usage {
        let mut usage = Usage::default();
        for row in &self.rows[from as usize..to as usize] {
            let dimensions = dimensions(row, &mut usage.names);
            let customer = row.place(Side::Customer, Meter::Requests).1;
            let served_apart = if apart.contains(&customer) { usage.names.intern(&customer) } else { Name::NONE };
            for side in [Side::Customer, Side::Provider] {
                let cell = UsageCell {
                    party: usage.names.intern(&row.place(side, Meter::Requests).1),
                    customer: if side == Side::Customer { Name::NONE } else { served_apart },
                    dimensions,
                    hour: row.hour(),
                    quantities: row.quantities(),
                };
                if side == Side::Customer { usage.customers.push(cell) } else { usage.providers.push(cell) }
            }
            usage.rows += 1;
        }
        usage
    }

    fn served(&self, filter: &ServedFilter) -> Served {
        let mut served = Served::default();
        for (row, offset) in self.rows.iter().zip(0..) {
            let (customer, provider) =
                (row.place(Side::Customer, Meter::Requests).1, row.place(Side::Provider, Meter::Requests).1);
            let cut = filter.cut_of(UsagePlace { partition: 0, offset }, row.hour());
            let Some(cut) = cut.filter(|_| filter.customers.contains(&customer)) else { continue };
            served.cells.push(ServedCell {
                customer: served.names.intern(&customer),
                provider: served.names.intern(&provider),
                dimensions: dimensions(row, &mut served.names),
                hour: row.hour(),
                cut,
                quantities: row.quantities(),
            });
        }
        served
    }

    fn charges_for(&mut self, filter: &ChargeFilter) -> Vec<Charge> {
        let meant = |(place, (hour, period), rated, _): &&StoredCharge| match filter {
            ChargeFilter::Hours { currency, from, until } => {
                currency == of_holder(&place.1).1
                    && *hour >= from.0
                    && until.is_none_or(|until| *hour < until.0)
                    && *rated != Rated::Waived
            }
            ChargeFilter::Used { customer, from } => {
                let party = of_holder(&place.1).0;
                place.0 == Side::Customer
                    && *hour >= from.0
                    && customer.as_deref().is_none_or(|customer| customer == party)
            }
            ChargeFilter::Unrated(waive) => {
                *rated == Rated::Unrated
                    && place.2 == waive.meter
                    && *period == waive.period
                    && waive.matches.iter().all(|(_, value)| *value == place.3)
            }
        };
        let stored: Vec<StoredCharge> = self.charges.iter().filter(meant).cloned().collect();
        stored.iter().map(|charge| restored(charge, self.settlement.names_mut())).collect()
    }

    fn store(&mut self, outcome: &Outcome) {
        let names = self.settlement.names();
        let text = |name: Name| names.text(name).unwrap_or_default().to_owned();
        let account_of = |party: Name, currency: Name| holder(&text(party), text(currency) == "EUR");
        for Charge { key, state, quantity } in &outcome.charges {
            let named = text(if key.dimensions.gpu.is_none() { key.dimensions.model } else { key.dimensions.gpu });
            let place = (key.side, account_of(key.party, key.currency), key.meter, named, text(key.dimensions.region));
            let rated = match state {
                State::Charged(price) => Rated::At(price.book as usize, price.position as usize),
                State::Unrated => Rated::Unrated,
                State::NotBilled => Rated::NotBilled,
                State::Waived => Rated::Waived,
            };
            self.charges.push((place, (key.hour.0, key.period), rated, quantity.nano()));
        }
        let changes = (outcome.documents.clone(), outcome.payment.clone(), outcome.allocations.clone());
        self.receivables.push(moved(&changes, names, &mut self.stored_names));
        if let Some(Correction { order, put, .. }) = &outcome.correction {
            let put = put.map(|put| renamed(put, names, &mut self.stored_names));
            self.corrections.push((order.place, outcome.control.offset, put));
        }
        for TrueUp { customer, currency, first, period, committed, billed, amount, document } in &outcome.true_ups {
            assert_eq!(text(*currency), "USD");
            assert_eq!(amount.pico(), committed.pico() - billed.pico());
            let row = (text(*customer), *first, *period, committed.pico(), billed.pico(), document.clone());
            self.true_ups.push(row);
        }
        for statement in &outcome.statements {
            let (provider, currency) = (text(statement.provider), text(statement.currency));
            self.payables.push(Payable::Statement(provider, currency, statement.clone()));
        }
        if let Some(change) = &outcome.dispute {
            self.payables.push(Payable::Dispute(disputed(change, names, &mut self.stored_names)));
        }
        for alert in &outcome.alerts {
            self.alerts.push((outcome.control.offset, text(alert.customer), alert.clone()));
        }
        for entry in &outcome.entries {
            assert_eq!(entry.postings.iter().map(|posting| posting.amount.pico()).sum::<i128>(), 0);
            for posting in &entry.postings {
                if let (Account::CustomerReceivable(name), Some(_), None) =
                    (posting.account, entry.price, posting.quantity)
                {
                    self.adjustments.push((account_of(name, entry.asset), entry.period.unwrap(), posting.amount));
                }
                let account = match posting.account {
                    Account::CustomerReceivable(name) => format!("{}/receivable", text(name)),
                    Account::ProviderPayable(name) => format!("{}/payable", text(name)),
                    Account::OwnerPayable(name) => format!("{}/payable", text(name)),
                    Account::PlatformRevenue => "platform/revenue".to_owned(),
                    Account::PlatformRounding => "platform/rounding".to_owned(),
                    Account::CustomerCredit(name) => format!("{}/credit", text(name)),
                    Account::PlatformTax => "platform/tax".to_owned(),
                    Account::CustomerPrepaid(name) => format!("{}/prepaid", text(name)),
                    Account::CustomerDisputed(name) => format!("{}/disputed", text(name)),
                    Account::PlatformPromotions => "platform/promotions".to_owned(),
                    Account::PlatformBreakage => "platform/breakage".to_owned(),
                    Account::PlatformBadDebt => "platform/bad_debt".to_owned(),
                    Account::PlatformExchange => "platform/exchange".to_owned(),
                    Account::TreasuryExchange => "treasury/exchange".to_owned(),
                    Account::PlatformRefunds => "platform/refunds".to_owned(),
                    Account::TreasuryBank => "treasury/bank".to_owned(),
                };
                let account = match text(entry.asset).as_str() {
                    "USD" => account,
                    other => format!("{other} {account}"),
                };
                *self.balances.entry(account).or_insert(0) += posting.amount.pico();
            }
        }
    }

    /// Builds the state anew from what is stored: control events, and a
    /// checkpoint or the charges.
    pub fn restart(&mut self, from_checkpoint: bool) {
        let mut settlement = Settlement::new("USD");
        for (offset, (value, answer)) in self.controls.iter().enumerate() {
            let record = ControlRecord { offset: offset as u64, recorded_us: RECORDED_US, key: Some(SOURCE), value };
            settlement.restore_control(record, *answer).unwrap();
        }
        if from_checkpoint {
            settlement.restore_checkpoint(&self.settlement.checkpoint()).unwrap();
        } else {
            for charge in &self.charges {
                let charge = restored(charge, settlement.names_mut());
                settlement.restore_charge(&charge).unwrap();
            }
            for (customer, period, amount) in &self.adjustments {
                let names = settlement.names_mut();
                let (customer, currency) = of_holder(customer);
                let holder = (names.intern(customer), names.intern(currency));
                settlement.restore_adjustment(holder, *period, *amount).unwrap();
            }
        }
        for changes in &self.receivables {
            let (documents, payment, allocations) = moved(changes, &self.stored_names, settlement.names_mut());
            for document in &documents {
                settlement.restore_document(document).unwrap();
            }
            if let Some(payment) = &payment {
                settlement.restore_payment(payment);
            }
            for allocation in &allocations {
                settlement.restore_allocation(allocation).unwrap();
            }
        }
        for payable in &self.payables {
            match payable {
                Payable::Statement(provider, currency, statement) => {
                    let names = settlement.names_mut();
                    let (provider, currency) = (names.intern(provider), names.intern(currency));
                    let statement = ProviderStatement { provider, currency, ..statement.clone() };
                    settlement.restore_statement(&statement).unwrap();
                }
                Payable::Dispute(change) => {
                    let change = disputed(change, &self.stored_names, settlement.names_mut());
                    settlement.restore_dispute(&change).unwrap();
                }
            }
        }
        for (place, at, put) in &self.corrections {
            let put = put.map(|put| renamed(put, &self.stored_names, settlement.names_mut()));
            settlement.restore_correction(*place, *at, put);
        }
        for (_, customer, alert) in &self.alerts {
            let customer = settlement.names_mut().intern(customer);
            settlement.restore_alert(&Alert { customer, ..alert.clone() });
        }
        self.settlement = settlement;
    }

    /// Every alert, in order.
    pub fn alerts(&self) -> Vec<AlertRow> {
        let row = |(offset, customer, alert): &(u64, String, Alert)| {
            let (limit, total) = (alert.limit.smallest_units(), alert.total.smallest_units());
            (*offset, customer.clone(), alert.budget.clone(), alert.set_at, alert.period, alert.threshold, limit, total)
        };
        self.alerts.iter().map(row).collect()
    }

    /// Number, customer and total of every document, in order.
    pub fn issued(&self) -> Vec<(String, String, i128)> {
        let documents = self.receivables.iter().flat_map(|(documents, ..)| documents);
        let text = |name: Name| self.stored_names.text(name).unwrap_or_default().to_owned();
        let account_of = |document: &Document| holder(&text(document.customer), text(document.currency) == "EUR");
        documents.map(|document| (document.number.clone(), account_of(document), document.total.pico())).collect()
    }

    /// Number, provider, month, earnings and what is to be paid of every
    /// statement, in order.
    pub fn stated(&self) -> Vec<StatedRow> {
        let row = |payable: &Payable| match payable {
            Payable::Statement(provider, currency, ProviderStatement { number, period, earned, total, .. }) => {
                let account = holder(provider, currency == "EUR");
                Some((number.clone(), account, *period, earned.pico(), total.pico()))
            }
            Payable::Dispute(_) => None,
        };
        self.payables.iter().filter_map(row).collect()
    }

    /// The charges added up; what cancels out is left out.
    pub fn net(&self) -> BTreeMap<(Place, (i32, Month), Rated), i128> {
        let mut sums = BTreeMap::new();
        for (place, time, rated, quantity) in &self.charges {
            *sums.entry((place.clone(), *time, *rated)).or_insert(0) += quantity;
        }
        sums.retain(|_, quantity| *quantity != 0);
        sums
    }

    pub fn accounts(&self) -> BTreeMap<String, i128> {
        self.balances.iter().filter(|(_, amount)| **amount != 0).map(|(name, amount)| (name.clone(), *amount)).collect()
    }
}

pub fn restored((place, (hour, period), rated, quantity): &StoredCharge, names: &mut Names) -> Charge {
    let (side, party, meter, named, region) = place;
    let mut dimensions = Dimensions::default();
    let named = names.intern(named);
    match meter.dimensions()[0] {
        Dimension::Gpu => dimensions.gpu = named,
        _ => dimensions.model = named,
    }
    if !region.is_empty() {
        dimensions.region = names.intern(region);
    }
    let (party, currency) = of_holder(party);
    let (party, currency) = (names.intern(party), names.intern(currency));
    let (hour, period) = (Hour(*hour), *period);
    let state = match *rated {
        Rated::At(book, position) => State::Charged(PriceId { book: book as u32, position: position as u32 }),
        Rated::Unrated => State::Unrated,
        Rated::NotBilled => State::NotBilled,
        Rated::Waived => State::Waived,
    };
    Charge {
        key: ChargeKey { side: *side, party, currency, meter: *meter, dimensions, hour, period },
        state,
        quantity: Quantity::from_nano(*quantity).unwrap(),
    }
}

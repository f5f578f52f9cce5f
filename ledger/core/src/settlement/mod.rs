//! The settlement state machine: control events in, rows out.
//!
//! Invariants: control events are handled in the order of their offsets; a
//! repeat gets the first answer (invariant 1) and the same id with other
//! content is an error of its own (invariant 9); the settled vector W never
//! goes back; nothing is billed in a closed month (invariant 7). What an event
//! needs from the tables is asked for first ([`Settlement::read`]) and handed
//! in ([`Settlement::apply`]), so that the decision itself is pure.

mod alerting;
mod apart;
mod charging;
mod checkpoint;
mod correcting;
mod disputing;
mod event;
mod invoicing;
mod reading;
mod restoring;
pub mod what_if;

use std::collections::BTreeSet;

use hashbrown::HashMap;
use stempoint_schemas::money::Overflow;
use stempoint_schemas::time::{Hour, Month};
use stempoint_schemas::watermark::Watermarks;
use thiserror::Error;

use crate::book::{Books, PriceBook};
use crate::charge::{Charge, PriceId, Side, State};
use crate::commitment::Commitments;
use crate::control::Act;
use crate::correction::Corrections;
use crate::currencies::{Currencies, CurrencyOrder};
use crate::dispute::Disputes;
use crate::names::Names;
use crate::order::sort;
use crate::payables::Payables;
use crate::period::{PeriodChange, Periods, Unrated};
use crate::posting::{Months, Posted, PostingContext, PostingError};
use crate::rating::Rater;
use crate::receivables::Receivables;
use crate::terms::TermsBook;
use crate::usage::Served;
use alerting::Budgets;
use charging::{charge_cell, holding, net, renamed, waive_charges};
use correcting::Waived;

pub use checkpoint::CheckpointError;
pub use event::{Answer, ChargeFilter, ControlRecord, ControlRow, Need, Outcome, Pending, Supply};

/// Why a control event could not be handled. Nothing was changed that is
/// visible; settlement stops and says so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettlementError {
    /// The charges could not be posted.
    #[error("failed to post the charges of control event {offset}: {source}")]
    Posting {
        /// The control event.
        offset: u64,
        /// Why.
        source: PostingError,
    },
    /// A control event on record cannot be understood.
    #[error(
        "control event {offset} was {name} by other rules and cannot be read: {detail}; use the version of stempoint that wrote it, or a newer one",
        name = answer.name()
    )]
    Restore {
        /// The control event.
        offset: u64,
        /// What became of it.
        answer: Answer,
        /// Why it cannot be read.
        detail: String,
    },
    /// A sum left the range of quantities.
    #[error("failed to add up the quantities of control event {offset}: {source}")]
    Quantity {
        /// The control event.
        offset: u64,
        /// Why.
        source: Overflow,
    },
}

#[derive(Debug, Clone)]
struct Seen {
    offset: u64,
    fingerprint: u64,
    answer: Answer,
}

/// The state machine.
#[derive(Debug, Clone)]
pub struct Settlement {
    names: Names,
    books: Books,
    posted: Posted,
    settled: Watermarks,
    seen: HashMap<u128, Seen, foldhash::fast::RandomState>,
    currencies: Currencies,
    /// The customers that ever had a price or a currency of their own: what
    /// providers serve to them is kept apart from what they serve to others.
    apart: BTreeSet<String>,
    periods: Periods,
    /// What keeps a month from being closed.
    unrated: Unrated,
    /// The last hour that has charges: a book that begins later moves none.
    last_hour: Option<Hour>,
    terms: TermsBook,
    receivables: Receivables,
    payables: Payables,
    disputes: Disputes,
    commitments: Commitments,
    budgets: Budgets,
    corrections: Corrections,
    /// What was given up, in order.
    waived: Vec<Waived>,
}

impl Settlement {
    /// A settlement that has seen nothing. Customers are rated in `currency`
    /// until something else is ordered.
    pub fn new(currency: &str) -> Settlement {
        let mut names = Names::default();
        let currencies = Currencies::new(names.intern(currency));
        Settlement {
            names,
            books: Books::default(),
            posted: Posted::default(),
            settled: Watermarks::default(),
            seen: HashMap::default(),
            currencies,
            apart: BTreeSet::new(),
            periods: Periods::default(),
            unrated: Unrated::default(),
            last_hour: None,
            terms: TermsBook::default(),
            receivables: Receivables::default(),
            payables: Payables::default(),
            disputes: Disputes::default(),
            commitments: Commitments::default(),
            budgets: Budgets::default(),
            corrections: Corrections::default(),
            waived: Vec::new(),
        }
    }

    /// The texts behind names.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The same, to learn the texts of charges that are handed in.
    pub fn names_mut(&mut self) -> &mut Names {
        &mut self.names
    }

    /// All books that were applied.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// The vector W up to which usage is settled.
    pub fn settled(&self) -> &Watermarks {
        &self.settled
    }

    /// Which months are closed.
    pub fn periods(&self) -> &Periods {
        &self.periods
    }

    /// What waits for a price.
    pub fn unrated(&self) -> &Unrated {
        &self.unrated
    }

    /// What customers were invoiced and paid.
    pub fn receivables(&self) -> &Receivables {
        &self.receivables
    }

    /// The customers whose usage is kept apart on the providers' side.
    pub fn apart(&self) -> &BTreeSet<String> {
        &self.apart
    }

    /// The currency in which a customer is rated in a month.
    pub fn currency_of(&self, customer: &str, month: Month) -> &str {
        let customer = self.names.find(customer).unwrap_or_default();
        self.names.text(self.currencies.in_month(customer, month)).unwrap_or_default()
    }

    /// A price row's name in tables.
    pub fn price_name(&self, price: PriceId) -> String {
        self.books.get(price.book as usize).map_or_else(String::new, |applied| applied.price_name(price.position))
    }

    /// The price row of a name in tables.
    pub fn price_id(&self, name: &str) -> Option<PriceId> {
        let (offset, position) = name.split_once('-')?;
        let (offset, position): (u64, u32) = (offset.parse().ok()?, position.parse().ok()?);
        let book = self.books.iter().position(|applied| applied.offset == offset)?;
        Some(PriceId { book: u32::try_from(book).ok()?, position: position.checked_sub(1)? })
    }

    fn put_in_force(&mut self, offset: u64, book: PriceBook) {
        // Postings name the currency of a price row and the owners with a share.
        self.names.intern(&book.currency);
        for holder in book.shares.iter().filter_map(|share| share.earner.holder()) {
            self.names.intern(&holder);
        }
        self.apart.extend(book.customers().map(str::to_owned));
        self.books.apply(offset, book);
    }

    fn set_currency(&mut self, order: &CurrencyOrder) {
        let customer = self.names.intern_some(order.customer.as_deref());
        self.apart.extend(order.customer.clone());
        self.currencies.set(customer, order.from, self.names.intern(&order.currency));
    }

    fn count_charge(&mut self, charge: &Charge) -> Result<(), Overflow> {
        let key = &charge.key;
        self.last_hour = self.last_hour.max(Some(key.hour));
        if (charge.state, key.side) == (State::Unrated, Side::Customer) {
            self.unrated.add(key.period, key.meter, charge.quantity)?;
        }
        Ok(())
    }

    fn begin_closing(&mut self, period: Month, watermarks: &Watermarks) -> PeriodChange {
        self.settled = self.settled.merged(watermarks);
        self.periods.begin_closing(period, &self.settled)
    }

    /// Refuses a pending event for a reason that only the shell can see, such
    /// as watermarks beyond the end of the log.
    pub fn refuse(&mut self, mut pending: Pending, reason: String) -> Outcome {
        pending.row.answer = Answer::Refused;
        pending.row.message = reason;
        self.note(&pending);
        Outcome::of(pending.row)
    }

    fn note(&mut self, pending: &Pending) {
        if let Some((identity, fingerprint)) = pending.identity {
            let seen = Seen { offset: pending.row.offset, fingerprint, answer: pending.row.answer };
            self.seen.insert(identity, seen);
        }
    }

    /// Handles a pending event with what it needed.
    pub fn apply(&mut self, mut pending: Pending, supply: Supply) -> Result<Outcome, SettlementError> {
        let offset = pending.row.offset;
        if let Some(problem) = self.problem_with(&pending, &supply) {
            return Ok(self.refuse(pending, problem));
        }
        let mut outcome = Outcome::of(pending.row.clone());
        if let Some(act) = pending.act.take() {
            let done = match act {
                Act::Settle(watermarks) => self.settle(&watermarks, supply),
                Act::PriceBook(book) => {
                    outcome.book = Some(self.books.iter().count());
                    self.put_in_force(offset, book);
                    self.rerate(&pending.need, supply)
                }
                Act::Waive(waive) => {
                    self.note_waiver(offset, &waive);
                    waive_charges(&waive, supply)
                }
                Act::Correction(order) => self.correct(order, supply, &mut outcome),
                Act::Closing(period, watermarks) => {
                    let done = self.settle(&watermarks, supply);
                    outcome.period = Some(self.begin_closing(period, &watermarks));
                    done.map(|(message, charges)| (format!("closing {period}: {message}"), charges))
                }
                Act::Closed { period, has_statements } => self.close(period, has_statements, &mut outcome),
                Act::Terms(customer, terms) => {
                    let whose = customer.as_deref().unwrap_or("everyone without terms of its own");
                    let message = format!("in force for {whose}: {}", terms.in_words());
                    outcome.terms = Some((self.set_terms(customer.as_deref(), terms.clone()), terms));
                    Ok(without_charges(message))
                }
                Act::Payment(order) => self.receive(&order, &mut outcome).map(without_charges),
                Act::Credit(order) => self.credit(&order, &mut outcome).map(without_charges),
                Act::Grant(order) => self.grant(&order, &mut outcome).map(without_charges),
                Act::WriteOff(order) => self.write_off(&order, &mut outcome).map(without_charges),
                Act::Exchange(order) => self.exchange(&order, &mut outcome).map(without_charges),
                Act::Dispute(order) => match self.disputed(&order, offset) {
                    Ok(dispute) => self.open_dispute(dispute, &order.reason, &mut outcome).map(without_charges),
                    Err(problem) => return Ok(self.refuse(pending, problem)),
                },
                Act::Resolution(order) => self.resolve_dispute(&order, &mut outcome).map(without_charges),
                Act::Currency(order) => {
                    self.set_currency(&order);
                    let message = order.in_words();
                    outcome.currency = Some(order);
                    Ok(without_charges(message))
                }
                Act::Budget(order) => {
                    let message = order.in_words();
                    outcome.budget = Some((self.set_budget(offset, &order), order));
                    Ok(without_charges(message))
                }
                Act::Commitment(order) => {
                    let message = order.in_words();
                    outcome.commitment = Some((self.set_commitment(&order), order));
                    Ok(without_charges(message))
                }
            };
            let (message, charges) = done.map_err(|source| SettlementError::Posting { offset, source })?;
            self.post(charges, &mut outcome)?;
            self.notice(&mut outcome).map_err(|source| SettlementError::Posting { offset, source })?;
            outcome.control.answer = Answer::Applied;
            outcome.control.message = message;
            pending.row.answer = Answer::Applied;
        }
        self.note(&pending);
        Ok(outcome)
    }

    /// Closes a month for good: issues its documents.
    fn close(&mut self, period: Month, has_statements: bool, outcome: &mut Outcome) -> Result<Done, PostingError> {
        let after = self.periods.last_closed();
        outcome.period = self.periods.close(period);
        if has_statements {
            self.state_earnings(Months { after, until: period }, outcome)?;
        }
        self.issue(after, period, outcome).map(without_charges)
    }

    /// Why an event that could be done by itself cannot be with what it needed.
    fn problem_with(&mut self, pending: &Pending, supply: &Supply) -> Option<String> {
        match (&pending.act, supply) {
            (Some(Act::Correction(order)), Supply::Row(row)) => self.check_corrected(order, row.as_deref()).err(),
            (Some(Act::Currency(order)), Supply::Charges(charges)) => {
                let charges = net(charges).map_err(|error| error.to_string());
                charges.and_then(|charges| self.currencies.check_charges(order, &charges)).err()
            }
            _ => None,
        }
    }

    /// Posts charges in the order in which tables hold them.
    fn post(&mut self, mut charges: Vec<Charge>, outcome: &mut Outcome) -> Result<(), SettlementError> {
        let (offset, recorded_us) = (outcome.control.offset, outcome.control.recorded_us);
        sort(&mut charges, &self.names);
        for charge in &charges {
            self.count_charge(charge).map_err(|source| SettlementError::Quantity { offset, source })?;
        }
        let context = PostingContext { books: &self.books, names: &self.names, recorded_us };
        let entries = self.posted.post(&charges, context);
        outcome.entries.extend(entries.map_err(|source| SettlementError::Posting { offset, source })?);
        outcome.charges = charges;
        Ok(())
    }

    fn settle(&mut self, watermarks: &Watermarks, supply: Supply) -> Result<Done, PostingError> {
        self.settled = self.settled.merged(watermarks);
        let Supply::Usage(usage) = supply else { return Ok(("nothing new to settle".to_owned(), Vec::new())) };
        let translate = self.names.learn(&usage.names);
        let mut charges = Vec::with_capacity((usage.customers.len() + usage.providers.len()) * 3);
        let mut rater = Rater::new(&self.books, &self.names);
        for (side, cells) in [(Side::Customer, &usage.customers), (Side::Provider, &usage.providers)] {
            for cell in cells {
                let period = self.periods.of_usage(cell.hour);
                charge_cell(side, &renamed(cell, &translate), period, &self.currencies, &mut rater, &mut charges)?;
            }
        }
        Ok((format!("settled {} usage rows", usage.rows), charges))
    }

    /// Moves charges to the price rows that now hold: those of closed months
    /// in the first open one, where they keep their hour.
    fn rerate(&mut self, need: &Need, supply: Supply) -> Result<Done, PostingError> {
        let (mut charges, served) = match supply {
            Supply::Charges(charges) => (charges, Served::default()),
            Supply::ChargesAndServed(charges, served) => (charges, served),
            _ => return Ok(("in force".to_owned(), Vec::new())),
        };
        for charge in &mut charges {
            charge.key.period = self.periods.of_change(charge.key.period);
        }
        let mut moved = Vec::new();
        let mut rater = Rater::new(&self.books, &self.names);
        for charge in net(&charges)? {
            let state = holding(&mut rater, &charge);
            if state != charge.state {
                moved.push(Charge { quantity: charge.quantity.negated(), ..charge });
                moved.push(Charge { state, ..charge });
            }
        }
        if let Need::ChargesAndServed(_, filter) = need {
            let billed = |settlement: &Settlement, period| settlement.periods.of_change(period);
            moved.extend(self.set_apart(filter, &served, billed)?);
            // What was moved as a part of a sum and then set apart cancels out.
            moved = net(&moved)?;
        }
        Ok((format!("in force; {} charges were rated again", moved.len() / 2), moved))
    }
}

/// What an act did, in words, and the charges that follow from it.
type Done = (String, Vec<Charge>);

fn without_charges(message: String) -> Done {
    (message, Vec::new())
}

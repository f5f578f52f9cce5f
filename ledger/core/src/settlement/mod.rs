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
mod event;
mod invoicing;
pub mod what_if;

use hashbrown::HashMap;
use prost::Message;
use stempoint_schemas::event::{check_source, is_plain_text};
use stempoint_schemas::hash::{content_hash, fingerprint, identity_hash};
use stempoint_schemas::money::{Amount, Overflow};
use stempoint_schemas::proto;
use stempoint_schemas::time::{Hour, Month};
use stempoint_schemas::watermark::Watermarks;
use thiserror::Error;

use crate::book::{Books, PriceBook};
use crate::charge::{Charge, PriceId, Side, State};
use crate::commitment::Commitments;
use crate::control::{self, Act};
use crate::correction::Corrections;
use crate::names::{Name, Names};
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
    default_currency: Name,
    periods: Periods,
    /// What keeps a month from being closed.
    unrated: Unrated,
    /// The last hour that has charges: a book that begins later moves none.
    last_hour: Option<Hour>,
    terms: TermsBook,
    receivables: Receivables,
    payables: Payables,
    commitments: Commitments,
    budgets: Budgets,
    corrections: Corrections,
    /// What was given up, in order.
    waived: Vec<Waived>,
}

impl Settlement {
    /// A settlement that has seen nothing. Customers are rated in
    /// `default_currency`.
    pub fn new(default_currency: &str) -> Settlement {
        let mut names = Names::default();
        let default_currency = names.intern(default_currency);
        Settlement {
            names,
            books: Books::default(),
            posted: Posted::default(),
            settled: Watermarks::default(),
            seen: HashMap::default(),
            default_currency,
            periods: Periods::default(),
            unrated: Unrated::default(),
            last_hour: None,
            terms: TermsBook::default(),
            receivables: Receivables::default(),
            payables: Payables::default(),
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

    /// The currency in which a customer is rated.
    pub fn currency_of(&self, _customer: &str) -> &str {
        self.names.text(self.default_currency).unwrap_or_default()
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

    /// Takes up a control event that was handled before a restart, with the
    /// answer that is on record: today's rules do not judge it again.
    ///
    /// # Errors
    /// [`SettlementError::Restore`] where an event that changed the books
    /// cannot be understood any more.
    pub fn restore_control(&mut self, record: ControlRecord<'_>, answer: Answer) -> Result<(), SettlementError> {
        if !matches!(answer, Answer::Applied | Answer::Refused) {
            return Ok(());
        }
        let failed = |detail| SettlementError::Restore { offset: record.offset, answer, detail };
        let source = check_source(record.key).map_err(|refusal| failed(refusal.detail))?;
        let event = proto::ControlEvent::decode(record.value).map_err(|error| failed(error.to_string()))?;
        let (identity, fingerprint) = remembered_by(source, &event, record.value);
        self.seen.insert(identity, Seen { offset: record.offset, fingerprint, answer });
        if answer == Answer::Applied {
            match control::applied_from_proto(&event).map_err(failed)? {
                Act::PriceBook(book) => self.put_in_force(record.offset, book),
                Act::Settle(watermarks) => self.settled = self.settled.merged(&watermarks),
                Act::Waive(waive) => self.note_waiver(record.offset, &waive),
                Act::Closing(period, watermarks) => _ = self.begin_closing(period, &watermarks),
                Act::Closed { period, .. } => {
                    self.periods.close(period);
                    self.receivables.end_grants(period).map_err(|error| failed(error.to_string()))?;
                }
                Act::Grant(order) => self.restore_grant(record.offset, &order),
                Act::Terms(customer, terms) => _ = self.set_terms(customer.as_deref(), terms),
                Act::Budget(order) => _ = self.set_budget(record.offset, &order),
                Act::Commitment(order) => _ = self.set_commitment(&order),
                // What they did stands in tables of their own.
                Act::Payment(_) | Act::Credit(_) | Act::Correction(_) | Act::WriteOff(_) => {}
                // It leaves nothing but its entries.
                Act::Exchange(_) => {}
            }
        }
        Ok(())
    }

    fn put_in_force(&mut self, offset: u64, book: PriceBook) {
        // Postings name the currency of a price row.
        self.names.intern(&book.currency);
        self.books.apply(offset, book);
    }

    /// Takes up a charge that was written before a restart.
    pub fn restore_charge(&mut self, charge: &Charge) -> Result<(), Overflow> {
        self.count_charge(charge)?;
        self.posted.restore(charge, &self.books)
    }

    /// Takes up what charge models added to a customer's linear amounts of a
    /// billing period, which was posted before a restart. Quantities come with
    /// the charges.
    ///
    /// # Errors
    /// [`Overflow`] where the sum leaves the range of money.
    pub fn restore_adjustment(
        &mut self,
        (customer, asset): (Name, Name),
        period: Month,
        amount: Amount,
    ) -> Result<(), Overflow> {
        self.posted.adjusted_mut().add_amount((period, (customer, asset)), amount)
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

    /// Reads a control event, answers it if it can be answered at once, and
    /// says what it needs otherwise.
    pub fn read(&self, record: ControlRecord<'_>) -> Pending {
        let row = ControlRow {
            offset: record.offset,
            recorded_us: record.recorded_us,
            source: None,
            id: None,
            kind: "unknown",
            answer: Answer::Malformed,
            message: String::new(),
            key: record.key.map(<[u8]>::to_vec),
            raw: record.value.to_vec(),
        };
        let answered = |row: ControlRow, identity| Pending { row, act: None, identity, need: Need::Nothing };
        let source = match check_source(record.key) {
            Ok(source) => source,
            Err(refusal) => return answered(ControlRow { message: refusal.detail, ..row }, None),
        };
        let row = ControlRow { source: Some(source.to_owned()), ..row };
        let event = match proto::ControlEvent::decode(record.value) {
            Ok(event) => event,
            Err(error) => {
                return answered(
                    ControlRow { message: format!("the value is not a control event: {error}"), ..row },
                    None,
                );
            }
        };
        if !is_plain_text(event.id.as_bytes()) {
            let message = "id must be 1 to 256 bytes of printable text".to_owned();
            return answered(ControlRow { message, ..row }, None);
        }
        let kind = kind_of(&event);
        let row = ControlRow { id: Some(event.id.clone()), kind, ..row };
        let (identity, print) = remembered_by(source, &event, record.value);
        if let Some(seen) = self.seen.get(&identity) {
            let (answer, message) = if seen.fingerprint == print {
                (
                    Answer::Duplicate,
                    format!("the same as control event {}, which was {}", seen.offset, seen.answer.name()),
                )
            } else {
                (
                    Answer::Conflict,
                    format!("control event {} has this id and other content; send it with a new id", seen.offset),
                )
            };
            return answered(ControlRow { answer, message, ..row }, None);
        }
        let read = if control::is_whole(&event, record.value) {
            control::from_proto(&event)
        } else {
            Err("the event has a field that these rules do not know, one twice, or one without a value".to_owned())
        };
        let act = match read.and_then(|act| self.permitted(act, record.recorded_us)) {
            Ok(act) => act,
            Err(problem) => {
                return answered(
                    ControlRow { answer: Answer::Refused, message: problem, ..row },
                    Some((identity, print)),
                );
            }
        };
        let need = self.need(&act);
        Pending { row, act: Some(act), identity: Some((identity, print)), need }
    }

    /// The act, unless the state of the months stands against it.
    fn permitted(&self, act: Act, recorded_us: i64) -> Result<Act, String> {
        match &act {
            Act::Closing(period, _) => self.periods.check_closing(*period, recorded_us)?,
            Act::Closed { period, .. } => self.periods.check_closed(*period, &self.unrated)?,
            Act::Payment(order) => self.receivables.check_payment(order, &self.names, recorded_us)?,
            Act::Credit(order) => self.receivables.check_credit(order, &self.names)?,
            Act::WriteOff(order) => self.receivables.check_write_off(order, &self.names)?,
            Act::Budget(order) => self.check_budget(order)?,
            Act::Commitment(order) => self.check_commitment(order)?,
            Act::Grant(order) => self.receivables.check_grant(order, self.periods.last_closed(), recorded_us)?,
            Act::Correction(order) => self.check_correction(order)?,
            Act::Exchange(order) => order.check_time(recorded_us)?,
            Act::PriceBook(_) | Act::Settle(_) | Act::Waive(_) | Act::Terms(..) => {}
        }
        Ok(act)
    }

    fn need(&self, act: &Act) -> Need {
        match act {
            Act::Settle(watermarks) | Act::Closing(_, watermarks) => {
                let to = self.settled.merged(watermarks);
                let (from, apart) = (self.settled.clone(), self.books.apart().clone());
                if to == from { Need::Nothing } else { Need::Usage { from, to, apart } }
            }
            Act::PriceBook(book) => {
                if self.last_hour.is_none_or(|last| last < book.effective_from) {
                    return Need::Nothing;
                }
                match self.served_by(book) {
                    Some(served) => Need::ChargesAndServed(self.charges_of(book), served),
                    None => Need::Charges(self.charges_of(book)),
                }
            }
            Act::Waive(waive) => Need::Charges(ChargeFilter::Unrated(waive.clone())),
            Act::Correction(order) => Need::Row(order.place),
            Act::Closed { .. }
            | Act::Terms(..)
            | Act::Payment(_)
            | Act::Credit(_)
            | Act::Budget(_)
            | Act::Commitment(_)
            | Act::Grant(_)
            | Act::WriteOff(_)
            | Act::Exchange(_) => Need::Nothing,
        }
    }

    /// The charges that a book can move which is yet to be put in force.
    fn charges_of(&self, book: &PriceBook) -> ChargeFilter {
        let from = book.effective_from;
        let until = self.books.next_change(&book.currency, from);
        ChargeFilter::Hours { currency: book.currency.clone(), from, until }
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
                charge_cell(side, &renamed(cell, &translate), period, &mut rater, &mut charges)?;
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

/// The hash and the fingerprint under which an event's answer is remembered.
fn remembered_by(source: &str, event: &proto::ControlEvent, value: &[u8]) -> (u128, u64) {
    let identity = identity_hash(source.as_bytes(), event.id.as_bytes());
    (identity, fingerprint(&content_hash(source.as_bytes(), value)))
}

fn kind_of(event: &proto::ControlEvent) -> &'static str {
    use proto::control_event::Act as Wire;
    match event.act {
        Some(Wire::PriceBook(_)) => "price_book",
        Some(Wire::Settle(_)) => "settle",
        Some(Wire::Waive(_)) => "waive",
        Some(Wire::Closing(_)) => "closing",
        Some(Wire::Closed(_)) => "closed",
        Some(Wire::Terms(_)) => "terms",
        Some(Wire::Payment(_)) => "payment",
        Some(Wire::Credit(_)) => "credit",
        Some(Wire::Budget(_)) => "budget",
        Some(Wire::Correction(_)) => "correction",
        Some(Wire::Commitment(_)) => "commitment",
        Some(Wire::Grant(_)) => "grant",
        Some(Wire::WriteOff(_)) => "write_off",
        Some(Wire::Exchange(_)) => "exchange",
        None => "unknown",
    }
}

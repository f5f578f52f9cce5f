//! What goes into the state machine and what comes out of it.
//!
//! Invariant: everything here is plain data; an event that was read says what
//! it needs, and nothing else is read for it.

use std::collections::BTreeSet;

use stempoint_schemas::time::Hour;
use stempoint_schemas::watermark::Watermarks;

use crate::budget::{Alert, BudgetOrder};
use crate::charge::{Charge, Side, State};
use crate::commitment::{CommitmentOrder, TrueUp};
use crate::control::{Act, Waive};
use crate::correction::{Correction, UsagePlace, UsageRow};
use crate::currencies::CurrencyOrder;
use crate::dispute::DisputeChange;
use crate::names::{Name, Names};
use crate::payables::ProviderStatement;
use crate::period::PeriodChange;
use crate::posting::Entry;
use crate::receivables::{Allocation, Document, Grant, Payment};
use crate::terms::Terms;
use crate::usage::{Served, ServedFilter, Usage};

/// What became of a control event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was done.
    Applied,
    /// It may not be done.
    Refused,
    /// It was answered before.
    Duplicate,
    /// Its id was used for something else.
    Conflict,
    /// It is not a control event.
    Malformed,
}

impl Answer {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Answer::Applied => "applied",
            Answer::Refused => "refused",
            Answer::Duplicate => "duplicate",
            Answer::Conflict => "conflict",
            Answer::Malformed => "malformed",
        }
    }
}

/// A record of the control topic.
#[derive(Debug, Clone, Copy)]
pub struct ControlRecord<'a> {
    /// Its offset.
    pub offset: u64,
    /// When the log recorded it, microseconds.
    pub recorded_us: i64,
    /// Its key: the source.
    pub key: Option<&'a [u8]>,
    /// Its value: a `ControlEvent`.
    pub value: &'a [u8],
}

/// A row of `control`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlRow {
    /// The event's offset.
    pub offset: u64,
    /// When the log recorded it, microseconds.
    pub recorded_us: i64,
    /// Who sent it.
    pub source: Option<String>,
    /// Its id.
    pub id: Option<String>,
    /// What kind of act it is.
    pub kind: &'static str,
    /// What became of it.
    pub answer: Answer,
    /// In words.
    pub message: String,
    /// The record's key.
    pub key: Option<Vec<u8>>,
    /// The record's value.
    pub raw: Vec<u8>,
}

/// What must be read from the tables before an event can be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// Usage rows from `from` (inclusive) up to `to` (exclusive).
    Usage {
        /// Settled already.
        from: Watermarks,
        /// To be settled.
        to: Watermarks,
        /// The customers whose usage is kept apart on the providers' side.
        apart: BTreeSet<String>,
    },
    /// The charges below the event's offset that meet the filter.
    Charges(ChargeFilter),
    /// The same, and what some customers were served.
    ChargesAndServed(ChargeFilter, ServedFilter),
    /// The metered usage event that stands there.
    Row(UsagePlace),
}

/// Which charges are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeFilter {
    /// All of a currency in hours from `from` (inclusive) until `until`
    /// (exclusive), except waived ones.
    Hours {
        /// The currency.
        currency: String,
        /// The first hour.
        from: Hour,
        /// The first hour after them.
        until: Option<Hour>,
    },
    /// The unrated ones that are to be waived.
    Unrated(Waive),
    /// Of what a customer used, or all customers, from an hour on.
    Used {
        /// The customer.
        customer: Option<String>,
        /// The first hour.
        from: Hour,
    },
}

impl ChargeFilter {
    /// Whether a charge is one of them.
    pub fn is_met_by(&self, charge: &Charge, names: &Names) -> bool {
        let key = &charge.key;
        match self {
            ChargeFilter::Hours { currency, from, until } => {
                names.text(key.currency) == Some(currency.as_str())
                    && key.hour >= *from
                    && until.is_none_or(|until| key.hour < until)
                    && charge.state != State::Waived
            }
            ChargeFilter::Used { customer, from } => {
                key.side == Side::Customer
                    && key.hour >= *from
                    && customer.as_deref().is_none_or(|customer| names.text(key.party) == Some(customer))
            }
            ChargeFilter::Unrated(waive) => {
                charge.state == State::Unrated
                    && key.meter == waive.meter
                    && key.period == waive.period
                    && key.dimensions.meet(&waive.matches, names)
            }
        }
    }
}

/// What was read.
#[derive(Debug, Clone)]
pub enum Supply {
    /// For [`Need::Nothing`].
    Nothing,
    /// For [`Need::Usage`].
    Usage(Usage),
    /// For [`Need::Charges`], with names of this settlement.
    Charges(Vec<Charge>),
    /// For [`Need::ChargesAndServed`].
    ChargesAndServed(Vec<Charge>, Served),
    /// For [`Need::Row`]; `None` where no metered event stands there.
    Row(Option<Box<UsageRow>>),
}

/// A control event that was read and waits for what it needs.
#[derive(Debug, Clone)]
pub struct Pending {
    pub(super) row: ControlRow,
    pub(super) act: Option<Act>,
    /// The hash and the fingerprint under which the answer is remembered.
    pub(super) identity: Option<(u128, u64)>,
    /// What it needs.
    pub need: Need,
}

impl Pending {
    /// The answer, where it follows from the event alone.
    pub fn answer(&self) -> Option<Answer> {
        self.act.is_none().then_some(self.row.answer)
    }
}

/// The rows that follow from one control event.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The event and its answer.
    pub control: ControlRow,
    /// Whether it put a book in force: its index among the applied books.
    pub book: Option<usize>,
    /// What it made of a month.
    pub period: Option<PeriodChange>,
    /// Charges in their order.
    pub charges: Vec<Charge>,
    /// Terms that it put in force, and whose they are.
    pub terms: Option<(Option<Name>, Terms)>,
    /// A currency that it put in force.
    pub currency: Option<CurrencyOrder>,
    /// A budget that it set or ended, and whose it is.
    pub budget: Option<(Name, BudgetOrder)>,
    /// A commitment that it set or ended, and whose it is.
    pub commitment: Option<(Name, CommitmentOrder)>,
    /// An event that it corrected.
    pub correction: Option<Correction>,
    /// Documents that were issued, in the order of their numbers.
    pub documents: Vec<Document>,
    /// What providers earned, in the order of the numbers.
    pub statements: Vec<ProviderStatement>,
    /// What commitments lacked, in the order of their customers' names.
    pub true_ups: Vec<TrueUp>,
    /// A grant that was made.
    pub grant: Option<Grant>,
    /// What it did to a dispute.
    pub dispute: Option<DisputeChange>,
    /// A payment that was received.
    pub payment: Option<Payment>,
    /// Which invoices were paid by what.
    pub allocations: Vec<Allocation>,
    /// Entries in their order.
    pub entries: Vec<Entry>,
    /// Thresholds of budgets that it reached, in their order.
    pub alerts: Vec<Alert>,
}

impl Outcome {
    /// The event's own row alone.
    pub fn into_control(self) -> ControlRow {
        self.control
    }

    /// Nothing follows but the answer.
    pub(super) fn of(control: ControlRow) -> Outcome {
        Outcome {
            control,
            book: None,
            period: None,
            charges: Vec::new(),
            terms: None,
            currency: None,
            budget: None,
            commitment: None,
            correction: None,
            documents: Vec::new(),
            statements: Vec::new(),
            true_ups: Vec::new(),
            grant: None,
            dispute: None,
            payment: None,
            allocations: Vec::new(),
            entries: Vec::new(),
            alerts: Vec::new(),
        }
    }
}

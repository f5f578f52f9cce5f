//! Disputes: a customer does not agree to pay a line of an invoice, or a
//! provider asks for more than a line of its statement says.
//!
//! Invariants: of a line of an invoice no more is disputed, or was accepted to
//! be wrong, than it comes to with its tax; of a line of a statement one
//! dispute is open at a time; a dispute is resolved once.

use hashbrown::HashMap;
use stempoint_schemas::currency::minor_units;
use stempoint_schemas::decimal;
use stempoint_schemas::meter::Dimension;
use stempoint_schemas::money::{Amount, Overflow};

use crate::names::{Name, Names};
use crate::posting::RoundingKey;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// What names in `allocations` and in entries begin with that stand for a
/// dispute.
const PREFIX: &str = "dispute-";

/// A line that somebody does not agree to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeOrder {
    /// The invoice's or the statement's number.
    pub document: String,
    /// The line's price row, for example `12-3`.
    pub price: String,
    /// All dimensions that the line has.
    pub dimensions: Vec<(Dimension, String)>,
    /// Of an invoice what is not owed, tax included, `None` for all that can be
    /// disputed of the line; of a statement what is asked for beyond it.
    pub amount: Option<Amount>,
    /// Why, in words.
    pub reason: String,
}

/// What becomes of a dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolutionOrder {
    /// The dispute's name.
    pub dispute: String,
    /// How much of it is accepted; `None` for all of it.
    pub accepted: Option<Amount>,
    /// Why, in words.
    pub reason: String,
}

/// A dispute as it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// Its name: `dispute-` and the control event's offset.
    pub name: String,
    /// The invoice's or the statement's number.
    pub document: String,
    /// The document's currency.
    pub currency: Name,
    /// The line.
    pub line: RoundingKey,
    /// How much is disputed, in whole cents.
    pub amount: Amount,
}

/// What a control event did to a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisputeStep {
    /// It was opened.
    Opened,
    /// It was resolved.
    Resolved,
}

/// A step of a dispute: a row of `disputes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeChange {
    /// The dispute.
    pub dispute: Dispute,
    /// What was done.
    pub step: DisputeStep,
    /// How much was disputed, or accepted.
    pub amount: Amount,
    /// Why, in words.
    pub reason: String,
}

/// All disputes so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disputes {
    open: Map<String, Dispute>,
    /// What was accepted of those that are resolved.
    resolved: Map<String, Amount>,
    /// What of each line is disputed or was accepted.
    taken: Map<RoundingKey, Amount>,
}

/// The name of the dispute that a control event opened.
pub(crate) fn name_of(offset: u64) -> String {
    format!("{PREFIX}{offset}")
}

/// Whether an allocation stands for what is set aside because of a dispute.
pub(crate) fn is_set_aside(source: &str) -> bool {
    source.starts_with(PREFIX)
}

impl DisputeStep {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            DisputeStep::Opened => "opened",
            DisputeStep::Resolved => "resolved",
        }
    }

    /// The step of that name.
    pub fn from_name(name: &str) -> Option<DisputeStep> {
        [DisputeStep::Opened, DisputeStep::Resolved].into_iter().find(|step| step.name() == name)
    }
}

impl DisputeOrder {
    /// The line in words.
    pub(crate) fn line_in_words(&self) -> String {
        let dimensions = self.dimensions.iter().map(|(dimension, value)| format!("{}={value}", dimension.name()));
        let dimensions = dimensions.collect::<Vec<_>>().join(" ");
        let with = if dimensions.is_empty() { "without dimensions".to_owned() } else { format!("with {dimensions}") };
        format!("line of price {} {with} of {}", decimal::shorten(&self.price), self.document)
    }
}

impl Disputes {
    /// What of a line is disputed or was accepted.
    pub fn taken(&self, line: &RoundingKey) -> Amount {
        self.taken.get(line).copied().unwrap_or_default()
    }

    /// The dispute of a line that waits to be resolved.
    pub fn open_of(&self, line: &RoundingKey) -> Option<&Dispute> {
        self.open.values().find(|dispute| dispute.line == *line)
    }

    /// Whether a dispute may be resolved as somebody orders it; the error says
    /// what is wrong.
    pub fn check_resolution(&self, order: &ResolutionOrder, names: &Names) -> Result<(), String> {
        let name = &order.dispute;
        let Some(dispute) = self.open.get(name) else {
            return Err(match self.resolved.get(name) {
                Some(accepted) => format!("{name} was resolved already: {accepted} of it was accepted"),
                None => format!("there is no dispute {}", decimal::shorten(name)),
            });
        };
        let Some(accepted) = order.accepted else { return Ok(()) };
        let currency = names.text(dispute.currency).unwrap_or_default();
        let places = minor_units(currency);
        if accepted < Amount::ZERO {
            return Err("what is accepted must be 0 or more".to_owned());
        }
        if accepted.rounded(places) != accepted {
            return Err(format!("{accepted} {currency} has more than {places} decimal places, and cannot be paid"));
        }
        if accepted > dispute.amount {
            return Err(format!("{accepted} is more than the {} of {name}", dispute.amount));
        }
        Ok(())
    }

    /// How much of a dispute that is to be resolved is accepted.
    pub fn accepted(&self, order: &ResolutionOrder) -> Amount {
        let whole = self.open.get(&order.dispute).map(|dispute| dispute.amount);
        order.accepted.or(whole).unwrap_or_default()
    }

    /// Opens a dispute that was checked, or takes it up after a restart.
    pub fn open(&mut self, dispute: &Dispute) -> Result<(), Overflow> {
        let taken = self.taken.entry(dispute.line).or_default();
        *taken = taken.plus(dispute.amount)?;
        self.open.insert(dispute.name.clone(), dispute.clone());
        Ok(())
    }

    /// Resolves a dispute that was checked, or takes that up after a restart:
    /// what was not accepted of it can be disputed again. Gives the dispute.
    pub fn resolve(&mut self, name: &str, accepted: Amount) -> Result<Option<Dispute>, Overflow> {
        let Some(dispute) = self.open.remove(name) else { return Ok(None) };
        let taken = self.taken.entry(dispute.line).or_default();
        *taken = taken.minus(dispute.amount.minus(accepted)?)?;
        self.resolved.insert(dispute.name.clone(), accepted);
        Ok(Some(dispute))
    }
}

//! What providers earned in months that are closed: numbered statements, by
//! which the platform bills itself in their name.
//!
//! Invariants: the numbers of an entity's statements have no gap, in the order
//! of settlement; what the statements of a provider say is to be paid differs
//! from the exact sum of what it earned and was given in disputes by what is
//! carried to the next one, at most half a cent (8).

use std::collections::BTreeMap;

use hashbrown::HashMap;
use stempoint_schemas::currency::minor_units;
use stempoint_schemas::money::{Amount, Overflow};
use stempoint_schemas::time::Month;

use crate::names::{Name, Names};
use crate::numbering::Numbers;
use crate::posting::Sums;
use crate::receivables::{Holder, Issuing};
use crate::terms::TermsBook;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// What a provider earned in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderStatement {
    /// Its number, for example `INV-S-000012`.
    pub number: String,
    /// The code of the legal entity that issued it.
    pub entity: String,
    /// Whose it is.
    pub provider: Name,
    /// The currency.
    pub currency: Name,
    /// The month.
    pub period: Month,
    /// The exact sum of its lines.
    pub earned: Amount,
    /// What the rounding of the statements before it left, exactly, and what
    /// was accepted of disputes since.
    pub carried: Amount,
    /// What is to be paid: both, in whole cents.
    pub total: Amount,
    /// When it was issued: the log's record time, microseconds.
    pub issued_us: i64,
}

/// All statements so far.
#[derive(Debug, Clone, Default)]
pub struct Payables {
    numbers: Numbers,
    /// What a provider's statements in a currency left to the next one.
    carried: Map<Holder, Amount>,
    /// What was accepted of disputes since the last statement.
    accepted: Map<Holder, Amount>,
    /// Whose the statements are, and of which month.
    stated: Map<String, (Holder, Month)>,
}

/// What sets the numbers of an entity's statements apart from those of its
/// invoices.
const SERIES: &str = "-S";

impl Payables {
    /// Issues the statements of a month: one for each of these providers and
    /// currencies, in the order of the providers' names.
    ///
    /// # Errors
    /// [`Overflow`] where a sum leaves the range of money.
    pub fn issue(
        &mut self,
        earned: &Sums,
        terms: &TermsBook,
        names: &Names,
        issuing: Issuing,
    ) -> Result<Vec<ProviderStatement>, Overflow> {
        let text = |name: Name| names.text(name).unwrap_or_default();
        let in_order: BTreeMap<(&str, &str), (Holder, Amount)> =
            earned.iter().map(|(&holder, &sum)| ((text(holder.0), text(holder.1)), (holder, sum))).collect();
        let mut statements = Vec::new();
        for ((_, currency), (holder, earned)) in in_order {
            let (provider, asset) = holder;
            let of = |sums: &Sums| sums.get(&holder).copied().unwrap_or_default();
            let carried = of(&self.carried).plus(of(&self.accepted))?;
            let entity = terms.of(provider).entity.clone();
            let statement = ProviderStatement {
                number: self.numbers.next(&format!("{entity}{SERIES}")),
                entity,
                provider,
                currency: asset,
                period: issuing.period,
                earned,
                carried,
                total: carried.plus(earned)?.rounded(minor_units(currency)),
                issued_us: issuing.recorded_us,
            };
            self.carry(&statement)?;
            statements.push(statement);
        }
        Ok(statements)
    }

    /// Takes up a statement that was issued before a restart.
    ///
    /// # Errors
    /// [`Overflow`] where a sum leaves the range of money.
    pub fn restore(&mut self, statement: &ProviderStatement) -> Result<(), Overflow> {
        self.numbers.restore(&statement.number);
        self.carry(statement)
    }

    fn carry(&mut self, statement: &ProviderStatement) -> Result<(), Overflow> {
        let holder = (statement.provider, statement.currency);
        let left = statement.carried.plus(statement.earned)?.minus(statement.total)?;
        self.carried.insert(holder, left);
        self.accepted.remove(&holder);
        self.stated.insert(statement.number.clone(), (holder, statement.period));
        Ok(())
    }

    /// Whose statement it is and which month it is of; `None` where there is
    /// none of that number.
    pub(crate) fn stated(&self, number: &str) -> Option<(Holder, Month)> {
        self.stated.get(number).copied()
    }

    /// The providers and currencies whose next statement carries what was
    /// accepted of disputes.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Holder> {
        self.accepted.keys().copied()
    }

    /// Has the next statement carry what was accepted of a dispute.
    pub(crate) fn accept(&mut self, holder: Holder, amount: Amount) -> Result<(), Overflow> {
        if amount == Amount::ZERO {
            return Ok(());
        }
        let sum = self.accepted.entry(holder).or_default();
        *sum = sum.plus(amount)?;
        Ok(())
    }
}

//! What customers promised to pay at least.
//!
//! Invariants: a customer has at most one commitment at a time in a currency;
//! its terms follow each other without a gap from the month in which it begins,
//! and none is changed once it is under way; what holds in a closed month stays
//! (7). What a term lacks follows from commitments and billed amounts alone (5).

use std::collections::BTreeMap;

use stempoint_schemas::money::{Amount, Overflow};
use stempoint_schemas::time::Month;

use crate::names::Name;
use crate::posting::{Sums, SumsByMonth};
use crate::receivables::{Holder, check_amount};

/// The longest term (months).
const MONTHS_MAX: u32 = 120;

/// What is paid at least in each term, tax apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment {
    /// How much.
    pub amount: Amount,
    /// How long a term is (months): 1 is a minimum of each invoice.
    pub months: u32,
}

/// An order to set a customer's commitment from a month on, or to end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitmentOrder {
    /// Whose it is.
    pub customer: String,
    /// The currency.
    pub currency: String,
    /// The first month of the first term, or the first without a commitment.
    pub from: Month,
    /// What holds from then on; `None` ends what held.
    pub commitment: Option<Commitment>,
}

/// What a term lacks, which the invoice of its last month charges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrueUp {
    /// Who pays.
    pub customer: Name,
    /// The currency.
    pub currency: Name,
    /// The term's first month.
    pub first: Month,
    /// Its last month, where the difference is billed.
    pub period: Month,
    /// What was promised for the term.
    pub committed: Amount,
    /// The exact sum of what was billed for use in its months.
    pub billed: Amount,
    /// What is charged: the difference.
    pub amount: Amount,
    /// The document that charges the difference; `None` where there was
    /// nothing to pay.
    pub document: Option<String>,
}

impl CommitmentOrder {
    /// Checks an order in itself; the error says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let Some(commitment) = &self.commitment else { return Ok(()) };
        if !(1..=MONTHS_MAX).contains(&commitment.months) {
            return Err(format!("a term has 1 to {MONTHS_MAX} months"));
        }
        check_amount(commitment.amount, &self.currency)
    }

    /// For people.
    pub fn in_words(&self) -> String {
        let CommitmentOrder { customer, currency, from, commitment } = self;
        match commitment {
            Some(Commitment { amount, months: 1 }) => {
                format!("{customer} pays at least {amount} {currency} for each month from {from} on")
            }
            Some(Commitment { amount, months }) => {
                format!("{customer} pays at least {amount} {currency} for each {months} months from {from} on")
            }
            None => format!("{customer} has no commitment in {currency} from {from} on"),
        }
    }
}

/// What holds from a month on.
#[derive(Debug, Clone, Copy)]
struct Step {
    from: Month,
    commitment: Option<Commitment>,
}

/// All commitments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commitments(BTreeMap<Holder, Vec<Step>>);

impl Commitments {
    /// Whether an order can be followed; the error says what stands against it.
    pub fn check(&self, holder: Holder, order: &CommitmentOrder, last_closed: Option<Month>) -> Result<(), String> {
        let CommitmentOrder { customer, currency, from, .. } = order;
        if let Some(last) = last_closed.filter(|last| from <= last) {
            return Err(format!("{from} is closed: a commitment can change from {} on", last.next()));
        }
        let steps = self.0.get(&holder).map(Vec::as_slice).unwrap_or_default();
        let before = Month::from_index(from.index() - 1);
        if let Some((first, commitment)) = term(steps, before)
            && last_of(first, commitment) >= *from
        {
            let next = last_of(first, commitment).next();
            return Err(format!(
                "{from} lies in a term of {customer} that began in {first}: a commitment can change from {first} or {next} on"
            ));
        }
        let is_there = steps.iter().any(|step| step.from >= *from && step.commitment.is_some());
        if order.commitment.is_none() && !is_there && term(steps, *from).is_none() {
            return Err(format!("{customer} has no commitment in {currency} that could end in {from}"));
        }
        Ok(())
    }

    /// Puts an order in force; what was said of later months no longer holds.
    pub fn set(&mut self, holder: Holder, order: &CommitmentOrder) {
        let steps = self.0.entry(holder).or_default();
        steps.retain(|step| step.from < order.from);
        steps.push(Step { from: order.from, commitment: order.commitment });
    }

    /// The terms that end in the months after one up to another, with whose
    /// they are, in no order that means anything.
    pub fn ending(&self, after: Option<Month>, until: Month) -> Vec<Term> {
        let mut terms = Vec::new();
        for (&holder, steps) in &self.0 {
            let Some(begin) = steps.first().map(|step| step.from) else { continue };
            let mut period = after.map_or(begin, |after| after.next().max(begin));
            while period <= until {
                if let Some((first, commitment)) = term(steps, period)
                    && last_of(first, commitment) == period
                {
                    terms.push(Term { holder, first, period, committed: commitment.amount });
                }
                period = period.next();
            }
        }
        terms
    }
}

/// A term that ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    pub holder: Holder,
    pub first: Month,
    pub period: Month,
    committed: Amount,
}

impl Term {
    /// What it lacks, if anything.
    pub fn true_up(&self, months: &SumsByMonth) -> Result<Option<TrueUp>, Overflow> {
        let of = |billed: &Sums| billed.get(&self.holder).copied().unwrap_or_default();
        let billed =
            months.range(self.first..=self.period).try_fold(Amount::ZERO, |sum, (_, month)| sum.plus(of(month)))?;
        let amount = self.committed.minus(billed)?;
        Ok((amount > Amount::ZERO).then_some(TrueUp {
            customer: self.holder.0,
            currency: self.holder.1,
            first: self.first,
            period: self.period,
            committed: self.committed,
            billed,
            amount,
            document: None,
        }))
    }
}

/// The first month of the term that a month lies in, with what holds in it.
fn term(steps: &[Step], month: Month) -> Option<(Month, Commitment)> {
    let step = steps.iter().rev().find(|step| step.from <= month)?;
    let commitment = step.commitment?;
    let months = commitment.months.cast_signed().max(1);
    let past = (month.index() - step.from.index()) / months * months;
    Some((Month::from_index(step.from.index() + past), commitment))
}

fn last_of(first: Month, commitment: Commitment) -> Month {
    Month::from_index(first.index() + commitment.months.cast_signed().max(1) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Month {
        Month::parse(text).unwrap()
    }

    fn order(from: &str, months: Option<u32>) -> CommitmentOrder {
        let amount = Amount::parse("100").unwrap();
        CommitmentOrder {
            customer: "acme".to_owned(),
            currency: "USD".to_owned(),
            from: month(from),
            commitment: months.map(|months| Commitment { amount, months }),
        }
    }

    const HOLDER: Holder = (Name::NONE, Name::NONE);

    #[test]
    fn a_term_that_is_under_way_is_not_changed() {
        let mut commitments = Commitments::default();
        commitments.set(HOLDER, &order("2023-11", Some(3)));
        let check = |from, months| commitments.check(HOLDER, &order(from, months), Some(month("2023-10")));
        let closed = check("2023-10", Some(1)).unwrap_err();
        assert_eq!(closed, "2023-10 is closed: a commitment can change from 2023-11 on");
        let inside = check("2024-01", None).unwrap_err();
        assert_eq!(
            inside,
            "2024-01 lies in a term of acme that began in 2023-11: a commitment can change from 2023-11 or 2024-02 on"
        );
        for from in ["2023-11", "2024-02", "2025-02"] {
            assert_eq!(check(from, Some(12)), Ok(()), "{from}");
            assert_eq!(check(from, None), Ok(()), "{from}");
        }
    }

    #[test]
    fn terms_end_one_after_the_other() {
        let mut commitments = Commitments::default();
        commitments.set(HOLDER, &order("2023-11", Some(2)));
        commitments.set(HOLDER, &order("2024-03", Some(1)));
        commitments.set(HOLDER, &order("2024-05", None));
        let ends: Vec<_> = commitments.ending(None, month("2024-12")).iter().map(|t| (t.first, t.period)).collect();
        let expected = [("2023-11", "2023-12"), ("2024-01", "2024-02"), ("2024-03", "2024-03"), ("2024-04", "2024-04")];
        assert_eq!(ends, expected.map(|(first, last)| (month(first), month(last))));
        assert_eq!(commitments.ending(Some(month("2024-03")), month("2024-04")).len(), 1);
        let nothing = commitments.check(HOLDER, &order("2024-05", None), None).unwrap_err();
        assert_eq!(nothing, "acme has no commitment in USD that could end in 2024-05");
    }
}

//! The slow model of commitments: a calendar for each customer that says of
//! every month in which term it lies.

use std::collections::BTreeMap;

use stempoint_core::commitment::{Commitment, CommitmentOrder};
use stempoint_schemas::money::Amount;
use stempoint_schemas::time::Month;

use crate::owed::CENT;

/// A commitment of the scenario: cents, and the months of a term.
pub type CommitSpec = (u32, u32);

/// A true-up: customer, the term's first and last month, what was committed
/// and billed, and the document.
pub type TrueUpRow = (String, Month, Month, i128, i128, Option<String>);

/// More months than a scenario closes.
const HORIZON: i32 = 200;

pub fn order(customer: u8, from: Month, spec: Option<CommitSpec>) -> CommitmentOrder {
    let commitment = |(cents, months): CommitSpec| Commitment {
        amount: Amount::from_pico(i128::from(cents) * CENT).unwrap(),
        months,
    };
    CommitmentOrder {
        customer: format!("customer-{customer}"),
        currency: "USD".to_owned(),
        from,
        commitment: spec.map(commitment),
    }
}

/// The term of a month: its first month, its last, and what was promised.
type Term = (Month, Month, i128);

#[derive(Default)]
pub struct Agreed {
    calendars: BTreeMap<String, BTreeMap<Month, Term>>,
    pub true_ups: Vec<TrueUpRow>,
}

impl Agreed {
    /// Sets or ends a commitment; false where that may not be.
    pub fn set(&mut self, customer: u8, from: Month, spec: Option<CommitSpec>, last_closed: Option<Month>) -> bool {
        let calendar = self.calendars.entry(format!("customer-{customer}")).or_default();
        let lies_within = calendar.get(&from).is_some_and(|(first, ..)| *first < from);
        let is_closed = last_closed.is_some_and(|last| from <= last);
        let nothing_to_end = spec.is_none() && calendar.range(from..).next().is_none();
        if lies_within || is_closed || nothing_to_end {
            return false;
        }
        calendar.retain(|month, _| *month < from);
        if let Some((cents, months)) = spec {
            let mut first = from.index();
            while first < from.index() + HORIZON {
                let last = first + months as i32 - 1;
                for month in first..=last {
                    let term = (Month::from_index(first), Month::from_index(last), i128::from(cents) * CENT);
                    calendar.insert(Month::from_index(month), term);
                }
                first = last + 1;
            }
        }
        true
    }

    /// What each customer's term that ends in a month lacks, if it does.
    pub fn lacking(&self, month: Month, billed: &BTreeMap<(Month, String), i128>) -> Vec<TrueUpRow> {
        let mut rows = Vec::new();
        for (customer, calendar) in &self.calendars {
            let Some((first, last, committed)) = calendar.get(&month).copied() else { continue };
            let of_term = billed.iter().filter(|((of, whose), _)| (first..=last).contains(of) && whose == customer);
            let sum: i128 = of_term.map(|(_, amount)| amount).sum();
            if last == month && sum < committed {
                rows.push((customer.clone(), first, last, committed, sum, None));
            }
        }
        rows
    }
}

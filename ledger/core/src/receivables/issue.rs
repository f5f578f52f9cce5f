//! The invoices of a month, when it is closed.
//!
//! Invariant 8: net and tax are each rounded once to whole cents, half away
//! from zero, from the exact sum of the lines; what that leaves is posted on
//! `platform/rounding`.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use stempoint_schemas::currency::minor_units;
use stempoint_schemas::money::{Amount, Overflow};
use stempoint_schemas::time::Month;

use super::{Changes, Document, DocumentKind, Holder, Postings, Receivables};
use crate::commitment::TrueUp;
use crate::names::{Name, Names};
use crate::posting::{Account, Entry};
use crate::terms::{Terms, TermsBook};

/// One day in microseconds.
const DAY_US: i64 = 86_400_000_000;

/// The month that is invoiced, and when.
#[derive(Debug, Clone, Copy)]
pub struct Issuing {
    /// The month.
    pub period: Month,
    /// The record time of the event that closes it, microseconds.
    pub recorded_us: i64,
}

/// What a customer's invoice of a month is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToInvoice {
    /// The exact sum of what was used.
    pub used: Amount,
    /// What its commitment lacks.
    pub true_up: Option<TrueUp>,
}

/// The same of all customers.
pub type Sums = HashMap<Holder, ToInvoice, foldhash::fast::RandomState>;

/// A customer's exact sum with what is rounded of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounded {
    /// The exact sum.
    pub subtotal: Amount,
    /// The sum in whole cents.
    pub net: Amount,
    /// The tax on the exact sum in whole cents.
    pub tax: Amount,
    /// Net and tax.
    pub total: Amount,
}

impl Rounded {
    /// Rounds a sum and takes the tax of it.
    ///
    /// # Errors
    /// [`Overflow`] where a figure leaves the range of money.
    pub fn new(subtotal: Amount, terms: &Terms, currency: &str) -> Result<Rounded, Overflow> {
        let places = minor_units(currency);
        let net = subtotal.rounded(places);
        let tax = match &terms.tax {
            Some(tax) => subtotal.part_rounded(tax.rate, places)?,
            None => Amount::ZERO,
        };
        Ok(Rounded { subtotal, net, tax, total: net.plus(tax)? })
    }
}

impl Receivables {
    /// Issues the documents of a month: one for each customer and currency
    /// with an amount, in the order of the customers' names.
    ///
    /// # Errors
    /// [`Overflow`] where a sum leaves the range of money.
    pub fn issue(
        &mut self,
        sums: Sums,
        terms: &TermsBook,
        names: &Names,
        issuing: Issuing,
    ) -> Result<Changes, Overflow> {
        let text = |name: Name| names.text(name).unwrap_or_default();
        let in_order: BTreeMap<(&str, &str), (Holder, ToInvoice)> =
            sums.into_iter().map(|(holder, sum)| ((text(holder.0), text(holder.1)), (holder, sum))).collect();
        let mut changes = Changes::default();
        for ((_, currency), (holder, sum)) in in_order {
            let terms = terms.of(holder.0);
            let entry = self.issue_one((holder, currency), terms, sum, issuing, &mut changes)?;
            changes.entries.extend(entry);
        }
        Ok(changes)
    }

    fn issue_one(
        &mut self,
        (holder, code): (Holder, &str),
        terms: &Terms,
        sum: ToInvoice,
        issuing: Issuing,
        changes: &mut Changes,
    ) -> Result<Option<Entry>, Overflow> {
        let (customer, currency) = holder;
        let lacking = sum.true_up.as_ref().map_or(Amount::ZERO, |true_up| true_up.amount);
        let rounded = Rounded::new(sum.used.plus(lacking)?, terms, code)?;
        let mut postings = Postings::new();
        postings.add(Account::PlatformRounding, rounded.subtotal.minus(rounded.net)?)?;
        postings.add(Account::PlatformTax, rounded.tax.negated())?;
        postings.add(Account::PlatformRevenue, lacking.negated())?;
        let mut number = None;
        // The month's use is on the receivable account already; a negative
        // total moves to what the customer holds.
        let owed = rounded.total.max(Amount::ZERO);
        postings.add(Account::CustomerReceivable(customer), owed.minus(sum.used)?)?;
        postings.add(Account::CustomerCredit(customer), rounded.total.minus(owed)?)?;
        if rounded.total != Amount::ZERO {
            let document = self.numbered(holder, terms, &rounded, issuing);
            self.add(&document)?;
            let granted = self.use_grants(holder, &document.number, issuing.period, &mut postings)?;
            changes.allocations.extend(granted);
            number = Some(document.number.clone());
            changes.documents.push(document);
            let allocations = self.allocate(holder, None)?;
            postings.use_credit(customer, &allocations)?;
            changes.allocations.extend(allocations);
        }
        changes.true_ups.extend(sum.true_up.map(|true_up| TrueUp { document: number.clone(), ..true_up }));
        let postings = postings.into_vec();
        let effective_us = issuing.period.end().us() - 1;
        Ok((!postings.is_empty()).then_some(Entry {
            price: None,
            period: Some(issuing.period),
            document: number,
            asset: currency,
            effective_us,
            postings,
        }))
    }

    fn numbered(&mut self, holder: Holder, terms: &Terms, rounded: &Rounded, issuing: Issuing) -> Document {
        let is_invoice = rounded.total > Amount::ZERO;
        let due = i64::from(terms.due_days) * DAY_US;
        Document {
            number: self.numbers.next(&terms.entity),
            kind: if is_invoice { DocumentKind::Invoice } else { DocumentKind::CreditNote },
            entity: terms.entity.clone(),
            customer: holder.0,
            currency: holder.1,
            period: Some(issuing.period),
            subtotal: rounded.subtotal,
            net: rounded.net,
            tax_terms: terms.tax.clone(),
            tax: rounded.tax,
            total: rounded.total,
            corrects: None,
            reason: None,
            issued_us: issuing.recorded_us,
            due_us: is_invoice.then(|| issuing.recorded_us.saturating_add(due)),
        }
    }
}

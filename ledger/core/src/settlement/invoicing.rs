//! Acts on what customers owe: terms, commitments, invoices when a month is
//! closed, payments, credits and what is given up.
//!
//! Invariants: nothing counts from a moment in a month that is closed (7);
//! every entry is checked to sum to zero (3).

use std::collections::BTreeMap;

use stempoint_schemas::money::Amount;
use stempoint_schemas::time::Month;

use super::{ControlRow, Outcome, Settlement};
use crate::commitment::CommitmentOrder;
use crate::exchange::ExchangeOrder;
use crate::names::Name;
use crate::payables::ProviderStatement;
use crate::posting::{Entry, Months, PostingError};
use crate::receivables::{
    Allocation, Changes, CreditOrder, Document, GrantOrder, Holder, Issuing, Payment, PaymentOrder, Sums, Times,
    ToInvoice, WriteOffOrder,
};
use crate::terms::Terms;

impl Settlement {
    /// Puts terms in force; gives whose they are.
    pub(super) fn set_terms(&mut self, customer: Option<&str>, terms: Terms) -> Option<Name> {
        let customer = customer.map(|customer| self.names.intern(customer));
        self.terms.set(customer, terms);
        customer
    }

    pub(super) fn check_commitment(&self, order: &CommitmentOrder) -> Result<(), String> {
        let name = |text: &str| self.names.find(text).unwrap_or_default();
        let holder = (name(&order.customer), name(&order.currency));
        self.commitments.check(holder, order, self.periods.last_closed())
    }

    /// Puts a commitment in force, or ends it; gives whose it is.
    pub(super) fn set_commitment(&mut self, order: &CommitmentOrder) -> Name {
        let holder = self.holder(&order.customer, &order.currency);
        self.commitments.set(holder, order);
        holder.0
    }

    /// Issues the documents of a month that was just closed, and of those
    /// before it which were never closed by themselves; gives what to say of
    /// them.
    pub(super) fn issue(
        &mut self,
        after: Option<Month>,
        until: Month,
        outcome: &mut Outcome,
    ) -> Result<String, PostingError> {
        let recorded_us = outcome.control.recorded_us;
        let mut all = Changes::default();
        for (period, sums) in self.to_invoice(after, until)? {
            let issuing = Issuing { period, recorded_us };
            let changes = self.receivables.issue(sums, &self.terms, &self.names, issuing)?;
            all.documents.extend(changes.documents);
            all.true_ups.extend(changes.true_ups);
            all.allocations.extend(changes.allocations);
            all.entries.extend(changes.entries);
        }
        all.entries.extend(self.receivables.end_grants(until)?);
        let documents = in_words(&all.documents);
        let statements = match outcome.statements.len() {
            0 => String::new(),
            1 => " and 1 statement of earnings".to_owned(),
            count => format!(" and {count} statements of earnings"),
        };
        record(all, outcome)?;
        Ok(format!("{until} is closed {documents}{statements}; what arrives late is billed in an open month"))
    }

    /// Issues the statements of what providers earned in months that were just
    /// closed.
    pub(super) fn state_earnings(&mut self, months: Months, outcome: &mut Outcome) -> Result<(), PostingError> {
        let recorded_us = outcome.control.recorded_us;
        let mut earned = self.posted.earned(months, &self.books, &self.names)?;
        earned.entry(months.until).or_default();
        for (period, mut earned) in earned {
            earned.retain(|_, sum| *sum != Amount::ZERO);
            if period == months.until {
                // What was accepted of disputes is stated even where nothing was earned.
                for holder in self.payables.waiting() {
                    earned.entry(holder).or_default();
                }
            }
            let issuing = Issuing { period, recorded_us };
            outcome.statements.extend(self.payables.issue(&earned, &self.terms, &self.names, issuing)?);
        }
        Ok(())
    }

    /// What the invoices of the months after one up to another are for: what
    /// was used, and what commitments lack.
    fn to_invoice(&self, after: Option<Month>, until: Month) -> Result<BTreeMap<Month, Sums>, PostingError> {
        let terms = self.commitments.ending(after, until);
        let before = |first: Month| Month::from_index(first.index() - 1);
        let begun = terms.iter().map(|term| before(term.first)).min();
        // The months of a term may be closed already.
        let since = after.map(|after| begun.map_or(after, |begun| begun.min(after)));
        let months = self.posted.billed(Months { after: since, until }, &self.books, &self.names)?;
        let mut sums: BTreeMap<Month, Sums> = BTreeMap::new();
        for (&period, billed) in months.iter().filter(|(period, _)| after.is_none_or(|after| **period > after)) {
            let used = billed.iter().map(|(&holder, &used)| (holder, ToInvoice { used, true_up: None }));
            sums.insert(period, used.collect());
        }
        for term in terms {
            if let Some(true_up) = term.true_up(&months)? {
                sums.entry(term.period).or_default().entry(term.holder).or_default().true_up = Some(true_up);
            }
        }
        Ok(sums)
    }

    pub(super) fn receive(&mut self, order: &PaymentOrder, outcome: &mut Outcome) -> Result<String, PostingError> {
        let holder = self.holder(&order.customer, &order.currency);
        let times = self.times(&outcome.control, order.received_us);
        let changes = self.receivables.receive(order, holder, times)?;
        let message = self.paid(&changes.allocations, &format!("{} {}", order.amount, order.currency));
        record(changes, outcome)?;
        Ok(message)
    }

    pub(super) fn credit(&mut self, order: &CreditOrder, outcome: &mut Outcome) -> Result<String, PostingError> {
        let holder = self.holder(&order.customer, &order.currency);
        let times = self.times(&outcome.control, outcome.control.recorded_us);
        let changes = self.receivables.credit(order, holder, &self.terms, times)?;
        let number = changes.documents.first().map(|document| document.number.clone()).unwrap_or_default();
        let message = self.paid(&changes.allocations, &number);
        record(changes, outcome)?;
        Ok(message)
    }

    /// Makes a grant.
    pub(super) fn grant(&mut self, order: &GrantOrder, outcome: &mut Outcome) -> Result<String, PostingError> {
        let holder = self.holder(&order.customer, &order.currency);
        let meant_us = order.received_us.unwrap_or(outcome.control.recorded_us);
        let times = self.times(&outcome.control, meant_us);
        record(self.receivables.grant(order, holder, times)?, outcome)?;
        Ok(order.in_words())
    }

    /// Writes an invoice off, or puts it back.
    pub(super) fn write_off(&mut self, order: &WriteOffOrder, outcome: &mut Outcome) -> Result<String, PostingError> {
        let times = self.times(&outcome.control, outcome.control.recorded_us);
        let (amount, changes) = self.receivables.write_off(order, times)?;
        let paid = changes.allocations.get(1..).unwrap_or_default();
        let message = match paid {
            [] => order.in_words(amount),
            paid => self.paid(paid, &format!("{}; what was held", order.in_words(amount))),
        };
        record(changes, outcome)?;
        Ok(message)
    }

    /// Takes note of an exchange.
    pub(super) fn exchange(&mut self, order: &ExchangeOrder, outcome: &mut Outcome) -> Result<String, PostingError> {
        let assets = (self.names.intern(&order.given.asset), self.names.intern(&order.got.asset));
        let times = self.times(&outcome.control, order.received_us);
        let entries = order.entries(times.offset, times.effective_us, assets)?;
        record(Changes { entries, ..Changes::default() }, outcome)?;
        Ok(order.in_words()?)
    }

    /// Takes up a grant that was made before a restart.
    pub(super) fn restore_grant(&mut self, offset: u64, order: &GrantOrder) {
        let holder = self.holder(&order.customer, &order.currency);
        self.receivables.hold_grant(order, holder, offset);
    }

    /// A customer's account in a currency.
    fn holder(&mut self, customer: &str, currency: &str) -> Holder {
        (self.names.intern(customer), self.names.intern(currency))
    }

    /// Which invoices something paid, in words.
    pub(super) fn paid(&self, allocations: &[Allocation], what: &str) -> String {
        if allocations.is_empty() {
            return format!("{what} is kept for what comes: no invoice is open");
        }
        let part = |allocation: &Allocation| {
            let open = self.receivables.open(&allocation.invoice).unwrap_or_default();
            let state = if open.pico() == 0 { "nothing".to_owned() } else { open.to_string() };
            format!("{} of {}, of which {state} is open", allocation.amount, allocation.invoice)
        };
        format!("{what} paid {}", allocations.iter().map(part).collect::<Vec<_>>().join("; "))
    }

    /// From when an act counts: from the moment that it says, or the first one
    /// of the first month that is not closed.
    pub(super) fn times(&self, control: &ControlRow, meant_us: i64) -> Times {
        let open_us = self.periods.last_closed().map_or(i64::MIN, |last| last.end().us());
        Times { offset: control.offset, recorded_us: control.recorded_us, effective_us: meant_us.max(open_us) }
    }

    /// Takes up a document that was issued before a restart.
    ///
    /// # Errors
    /// [`PostingError::Overflow`] where a sum leaves the range of money.
    pub fn restore_document(&mut self, document: &Document) -> Result<(), PostingError> {
        Ok(self.receivables.restore_document(document)?)
    }

    /// Takes up a provider's statement that was issued before a restart, in the
    /// order of their numbers.
    ///
    /// # Errors
    /// [`PostingError::Overflow`] where a sum leaves the range of money.
    pub fn restore_statement(&mut self, statement: &ProviderStatement) -> Result<(), PostingError> {
        Ok(self.payables.restore(statement)?)
    }

    /// Takes up a payment that was received before a restart.
    pub fn restore_payment(&mut self, payment: &Payment) {
        self.receivables.restore_payment(payment);
    }

    /// Takes up an allocation that was made before a restart. Documents,
    /// payments and allocations come in the order of their control events, and
    /// of one event in this order.
    ///
    /// # Errors
    /// [`PostingError::Overflow`] where a sum leaves the range of money.
    pub fn restore_allocation(&mut self, allocation: &Allocation) -> Result<(), PostingError> {
        Ok(self.receivables.restore_allocation(allocation)?)
    }
}

/// Which documents were issued: how many, and their numbers by entity.
fn in_words(documents: &[Document]) -> String {
    let mut numbers: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for document in documents {
        let of_entity = numbers.entry(&document.entity).or_insert((&document.number, &document.number));
        of_entity.1 = &document.number;
    }
    let range = |(first, last): &(&str, &str)| {
        if first == last { (*first).to_owned() } else { format!("{first} to {last}") }
    };
    let ranges = numbers.values().map(range).collect::<Vec<_>>().join(", ");
    match documents.len() {
        0 => "without invoices".to_owned(),
        1 => format!("with 1 document, {ranges}"),
        count => format!("with {count} documents, {ranges}"),
    }
}

/// Puts what follows from an act into its outcome.
pub(super) fn record(changes: Changes, outcome: &mut Outcome) -> Result<(), PostingError> {
    outcome.documents = changes.documents;
    outcome.true_ups = changes.true_ups;
    outcome.grant = changes.grant;
    outcome.payment = changes.payment;
    outcome.allocations = changes.allocations;
    outcome.entries = changes.entries.into_iter().map(Entry::checked).collect::<Result<_, _>>()?;
    Ok(())
}

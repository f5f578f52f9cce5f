//! What customers do not agree to owe.
//!
//! Invariants: what is disputed of an invoice can neither be paid nor given up,
//! nor taken back by another credit, until the dispute is resolved; what is
//! accepted of it is taken back by a credit note, the rest is owed again.

use stempoint_schemas::currency::minor_units;
use stempoint_schemas::money::{Amount, Overflow};
use stempoint_schemas::time::Month;

use super::{Allocation, Changes, CreditOrder, Holder, Postings, Receivables, Times, entry};
use crate::dispute::Dispute;
use crate::posting::Account;
use crate::terms::TermsBook;

impl Receivables {
    /// Whose invoice it is and which month it is for; `None` where there is
    /// none of that number.
    pub(crate) fn invoiced(&self, number: &str) -> Option<(Holder, Option<Month>)> {
        self.invoices.get(number).map(|invoice| (invoice.holder, invoice.period))
    }

    /// What a line of an invoice comes to with its part of the tax.
    pub(crate) fn with_tax(&self, number: &str, line: Amount, currency: &str) -> Result<Amount, Overflow> {
        let Some(invoice) = self.invoices.get(number) else { return Ok(Amount::ZERO) };
        invoice.total.in_proportion(line, invoice.total.minus(invoice.tax)?, minor_units(currency))
    }

    /// What can be disputed of an invoice; the error says why nothing can be.
    pub(crate) fn disputable(&self, number: &str) -> Result<Amount, String> {
        self.invoice(number)?.some_creditable(number)
    }

    /// Sets aside what is open of a disputed amount.
    pub(crate) fn dispute(&mut self, dispute: &Dispute, times: Times) -> Result<Changes, Overflow> {
        self.count_disputed(dispute, dispute.amount)?;
        let open = self.open(&dispute.document).unwrap_or_default();
        let mut changes = Changes::default();
        let mut postings = Postings::new();
        self.move_aside(dispute, open.min(dispute.amount), &mut changes, &mut postings)?;
        changes.entries.extend(entry(dispute.name.clone(), dispute.currency, times.effective_us, postings).if_any());
        Ok(changes)
    }

    /// Puts back what was set aside, and takes back what was accepted.
    pub(crate) fn resolve(
        &mut self,
        dispute: &Dispute,
        credit: Option<&CreditOrder>,
        terms: &TermsBook,
        times: Times,
    ) -> Result<Changes, Overflow> {
        let holder = (dispute.line.party, dispute.currency);
        self.count_disputed(dispute, dispute.amount.negated())?;
        let aside = self.set_aside.get(&dispute.name).copied().unwrap_or_default();
        let mut changes = Changes::default();
        let mut postings = Postings::new();
        self.move_aside(dispute, aside.negated(), &mut changes, &mut postings)?;
        if credit.is_none() {
            let paid = self.allocate(holder, Some(&dispute.document))?;
            postings.use_credit(holder.0, &paid)?;
            changes.allocations.extend(paid);
        }
        changes.entries.extend(entry(dispute.name.clone(), dispute.currency, times.effective_us, postings).if_any());
        if let Some(order) = credit {
            let credited = self.credit(order, holder, terms, times)?;
            changes.documents = credited.documents;
            changes.allocations.extend(credited.allocations);
            changes.entries.extend(credited.entries);
        }
        Ok(changes)
    }

    /// Takes up, or ends, that so much of an invoice is disputed.
    pub(crate) fn count_disputed(&mut self, dispute: &Dispute, amount: Amount) -> Result<(), Overflow> {
        if let Some(invoice) = self.invoices.get_mut(&dispute.document) {
            invoice.disputed = invoice.disputed.plus(amount)?;
        }
        Ok(())
    }

    /// Moves what is open of an invoice to what is disputed; a negative amount
    /// moves it back.
    fn move_aside(
        &mut self,
        dispute: &Dispute,
        amount: Amount,
        changes: &mut Changes,
        postings: &mut Postings,
    ) -> Result<(), Overflow> {
        if amount == Amount::ZERO {
            return Ok(());
        }
        let customer = dispute.line.party;
        let allocation = Allocation {
            invoice: dispute.document.clone(),
            source: dispute.name.clone(),
            customer,
            currency: dispute.currency,
            amount,
        };
        self.set_aside(&allocation)?;
        changes.allocations.push(allocation);
        postings.add(Account::CustomerDisputed(customer), amount)?;
        postings.add(Account::CustomerReceivable(customer), amount.negated())
    }

    /// Takes from an invoice what is set aside of it, or puts it back.
    pub(super) fn set_aside(&mut self, allocation: &Allocation) -> Result<(), Overflow> {
        let aside = self.set_aside.entry(allocation.source.clone()).or_default();
        *aside = aside.plus(allocation.amount)?;
        if *aside == Amount::ZERO {
            self.set_aside.remove(&allocation.source);
        }
        self.pay(&allocation.invoice, allocation.amount)
    }
}

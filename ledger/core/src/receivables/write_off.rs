//! Bad debt: what is given up of an invoice that will not be paid.
//!
//! Invariants: no more is given up than is open, and no more is put back than
//! was given up; what was given up can neither be paid nor credited until it is
//! put back. Tax stays as it was invoiced: whether the state gives it back is
//! not for the books to guess.

use stempoint_schemas::money::{Amount, Overflow};

use super::receipt::{check_amount, entry};
use super::{Allocation, Changes, Invoice, Postings, Receivables, Times};
use crate::names::Names;
use crate::posting::Account;

/// What names in `allocations` begin with that stand for bad debt.
const PREFIX: &str = "write-off-";

/// What is to be given up of an invoice, or put back, as somebody orders it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOffOrder {
    /// The invoice's number.
    pub invoice: String,
    /// How much; `None` for all that is open, or was given up.
    pub amount: Option<Amount>,
    /// Whether what was given up is put back.
    pub is_put_back: bool,
    /// Why, in words.
    pub reason: String,
}

/// Whether an allocation stands for bad debt.
pub(super) fn is_bad_debt(source: &str) -> bool {
    source.starts_with(PREFIX)
}

impl WriteOffOrder {
    /// How much of an invoice it can be for.
    fn left_of(&self, invoice: &Invoice) -> Amount {
        if self.is_put_back { invoice.written_off } else { invoice.open }
    }

    /// For people.
    pub fn in_words(&self, amount: Amount) -> String {
        let done = if self.is_put_back { "was put back: it is open again" } else { "was written off" };
        format!("{amount} of {} {done}", self.invoice)
    }
}

impl Receivables {
    /// Whether an invoice may be written off, or put back; the error says what
    /// is wrong.
    pub fn check_write_off(&self, order: &WriteOffOrder, names: &Names) -> Result<(), String> {
        let number = &order.invoice;
        let invoice = self.invoice(number)?;
        let currency = names.text(invoice.holder.1).unwrap_or_default();
        let left = order.left_of(invoice);
        let what = if order.is_put_back { "was written off" } else { "is open" };
        if left == Amount::ZERO {
            return Err(format!("nothing of {number} {what}"));
        }
        let Some(amount) = order.amount else { return Ok(()) };
        check_amount(amount, currency)?;
        if amount > left {
            return Err(format!("{amount} is more than the {left} that {what} of {number}"));
        }
        Ok(())
    }

    /// Writes an invoice off, or puts back what was, as was checked. What the
    /// customer holds pays an invoice that is open again.
    pub(crate) fn write_off(&mut self, order: &WriteOffOrder, times: Times) -> Result<(Amount, Changes), Overflow> {
        let Some(invoice) = self.invoices.get(&order.invoice) else { return Ok(Default::default()) };
        let (customer, currency) = invoice.holder;
        let amount = order.amount.unwrap_or(order.left_of(invoice));
        let signed = if order.is_put_back { amount.negated() } else { amount };
        let source = format!("{PREFIX}{}", times.offset);
        let allocation =
            Allocation { invoice: order.invoice.clone(), source: source.clone(), customer, currency, amount: signed };
        self.settle_debt(&allocation)?;
        let mut postings = Postings::new();
        postings.add(Account::PlatformBadDebt, signed)?;
        postings.add(Account::CustomerReceivable(customer), signed.negated())?;
        let paid = self.allocate((customer, currency), Some(&order.invoice))?;
        postings.use_credit(customer, &paid)?;
        let allocations = [vec![allocation], paid].concat();
        let entries = vec![entry(source, currency, times.effective_us, postings)];
        Ok((amount, Changes { allocations, entries, ..Changes::default() }))
    }

    /// Takes from an invoice what was given up of it, or puts it back.
    pub(super) fn settle_debt(&mut self, allocation: &Allocation) -> Result<(), Overflow> {
        if let Some(invoice) = self.invoices.get_mut(&allocation.invoice) {
            invoice.written_off = invoice.written_off.plus(allocation.amount)?;
        }
        self.pay(&allocation.invoice, allocation.amount)
    }
}

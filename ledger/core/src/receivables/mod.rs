//! What customers were invoiced, what they paid, and what is open.
//!
//! Invariants: the numbers of an entity's documents have no gap, in the order
//! of settlement; a customer's receivable account is what is open on its
//! invoices plus what it used in months that are not closed; its credit
//! account is what was received and not yet used, and nothing is held there
//! while an invoice is open; what was given up of an invoice is on
//! `platform/bad_debt`; its prepaid account is what is left of grants that
//! it paid for; what it does not agree to owe is on its disputed account until
//! the dispute is resolved.

mod disputed;
mod document;
mod grant;
mod issue;
mod receipt;
mod write_off;

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashMap;
use stempoint_schemas::money::{Amount, Overflow};
use stempoint_schemas::time::Month;

use crate::commitment::TrueUp;
use crate::dispute::is_set_aside;
use crate::names::Name;
use crate::numbering::Numbers;
use crate::posting::{Account, Entry, Posting};
use grant::HeldGrant;

pub use document::{Allocation, Document, DocumentKind, Payment};
pub use grant::{Grant, GrantOrder};
pub use issue::{Issuing, Rounded, Sums, ToInvoice};
pub use receipt::{CreditOrder, PaymentOrder};
pub(crate) use receipt::{Times, check_amount, check_received, entry};
pub use write_off::WriteOffOrder;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// A customer's account in one currency.
pub type Holder = (Name, Name);

/// All documents and what was paid of them.
#[derive(Debug, Clone, Default)]
pub struct Receivables {
    /// A series for each entity.
    numbers: Numbers,
    invoices: Map<String, Invoice>,
    holders: Map<Holder, Held>,
    /// What is set aside of invoices because of each dispute.
    set_aside: Map<String, Amount>,
}

/// An invoice that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Invoice {
    holder: Holder,
    entity: String,
    /// The month that it is for.
    period: Option<Month>,
    total: Amount,
    tax: Amount,
    /// How much of it was taken back by credit notes.
    credited: Amount,
    /// How much was given up.
    written_off: Amount,
    /// How much of it open disputes are about.
    disputed: Amount,
    /// How much is still to be paid.
    open: Amount,
    /// How many invoices were issued before it.
    place: usize,
}

impl Invoice {
    /// How much of it credit notes can still take back, and disputes be about.
    fn creditable(&self) -> Result<Amount, Overflow> {
        self.total.minus(self.credited)?.minus(self.written_off)?.minus(self.disputed)
    }

    /// The same, more than nothing; the error says where it is.
    fn some_creditable(&self, number: &str) -> Result<Amount, String> {
        match self.creditable().map_err(|error| error.to_string())? {
            Amount::ZERO if self.disputed != Amount::ZERO => {
                Err(format!("what is left of {number} is disputed; resolve that first"))
            }
            Amount::ZERO if self.written_off != Amount::ZERO => {
                Err(format!("what is left of {number} was written off; put it back first"))
            }
            Amount::ZERO => Err(format!("{number} was taken back in full already")),
            left => Ok(left),
        }
    }
}

/// What a customer has open and what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Held {
    /// Invoices that are not paid, the oldest first.
    open: VecDeque<String>,
    /// Grants, in the order in which they are used.
    grants: Vec<HeldGrant>,
    /// What was received and not yet used, the oldest first.
    receipts: VecDeque<Receipt>,
}

/// What is left of a payment or a credit note.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Receipt {
    source: String,
    left: Amount,
}

/// What follows from one act on the receivables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Documents that were issued, in the order of their numbers.
    pub documents: Vec<Document>,
    /// What commitments lacked.
    pub true_ups: Vec<TrueUp>,
    /// A grant that was made.
    pub grant: Option<Grant>,
    /// A payment that was received.
    pub payment: Option<Payment>,
    /// Which invoices were paid by what.
    pub allocations: Vec<Allocation>,
    /// The entries of it.
    pub entries: Vec<Entry>,
}

impl Receivables {
    /// Takes up a document that was issued before a restart.
    pub fn restore_document(&mut self, document: &Document) -> Result<(), Overflow> {
        self.numbers.restore(&document.number);
        self.add(document)
    }

    /// Takes up a payment that was received before a restart.
    pub fn restore_payment(&mut self, payment: &Payment) {
        self.hold((payment.customer, payment.currency), payment.name.clone(), payment.amount);
    }

    /// Takes up an allocation that was made before a restart.
    pub fn restore_allocation(&mut self, allocation: &Allocation) -> Result<(), Overflow> {
        let holder = (allocation.customer, allocation.currency);
        if write_off::is_bad_debt(&allocation.source) {
            return self.settle_debt(allocation);
        }
        if is_set_aside(&allocation.source) {
            return self.set_aside(allocation);
        }
        self.restore_use(allocation)?;
        if let Some(held) = self.holders.get_mut(&holder)
            && let Some(receipt) = held.receipts.iter_mut().find(|receipt| receipt.source == allocation.source)
        {
            receipt.left = receipt.left.minus(allocation.amount)?;
            held.receipts.retain(|receipt| receipt.left != Amount::ZERO);
        }
        self.pay(&allocation.invoice, allocation.amount)
    }

    /// What of an invoice is still to be paid; `None` where there is none of
    /// that number.
    pub fn open(&self, number: &str) -> Option<Amount> {
        self.invoices.get(number).map(|invoice| invoice.open)
    }

    /// Adds a document that has its number: an invoice becomes open, a credit
    /// note can be used.
    fn add(&mut self, document: &Document) -> Result<(), Overflow> {
        let holder = (document.customer, document.currency);
        match document.kind {
            DocumentKind::Invoice => {
                let entity = document.entity.clone();
                let (total, tax, place) = (document.total, document.tax, self.invoices.len());
                let [credited, written_off, disputed] = [Amount::ZERO; 3];
                let (period, open) = (document.period, total);
                let invoice =
                    Invoice { holder, entity, period, total, tax, credited, written_off, disputed, open, place };
                self.invoices.insert(document.number.clone(), invoice);
                self.holders.entry(holder).or_default().open.push_back(document.number.clone());
            }
            DocumentKind::CreditNote => {
                if let Some(invoice) = document.corrects.as_ref().and_then(|number| self.invoices.get_mut(number)) {
                    invoice.credited = invoice.credited.minus(document.total)?;
                }
                self.hold(holder, document.number.clone(), document.total.negated());
            }
        }
        Ok(())
    }

    fn hold(&mut self, holder: Holder, source: String, left: Amount) {
        self.holders.entry(holder).or_default().receipts.push_back(Receipt { source, left });
    }

    /// Pays open invoices with what the customer holds: the one that is named
    /// first, then the oldest.
    fn allocate(&mut self, holder: Holder, first: Option<&str>) -> Result<Vec<Allocation>, Overflow> {
        let mut allocations = Vec::new();
        let mut first = first.map(str::to_owned);
        while let Some(held) = self.holders.get_mut(&holder)
            && let Some(receipt) = held.receipts.front_mut()
        {
            let named = first.take().filter(|number| held.open.contains(number));
            let Some(invoice) = named.or_else(|| held.open.front().cloned()) else { break };
            let Some(open) = self.invoices.get(&invoice).map(|invoice| invoice.open) else { break };
            let amount = open.min(receipt.left);
            receipt.left = receipt.left.minus(amount)?;
            let source = receipt.source.clone();
            if receipt.left == Amount::ZERO {
                held.receipts.pop_front();
            }
            self.pay(&invoice, amount)?;
            allocations.push(Allocation { invoice, source, customer: holder.0, currency: holder.1, amount });
        }
        Ok(allocations)
    }

    /// Takes an amount from what is open of an invoice. A negative one opens it
    /// again, in the place that it had.
    fn pay(&mut self, number: &str, amount: Amount) -> Result<(), Overflow> {
        let Some(invoice) = self.invoices.get_mut(number) else { return Ok(()) };
        let was_open = invoice.open != Amount::ZERO;
        invoice.open = invoice.open.minus(amount)?;
        let (is_open, place) = (invoice.open != Amount::ZERO, invoice.place);
        if was_open == is_open {
            return Ok(());
        }
        let Some(held) = self.holders.get_mut(&invoice.holder) else { return Ok(()) };
        if is_open {
            let is_before = |other: &String| self.invoices.get(other).is_some_and(|other| other.place < place);
            held.open.insert(held.open.partition_point(is_before), number.to_owned());
        } else {
            held.open.retain(|open| open != number);
        }
        Ok(())
    }
}

/// Postings without zeros, in the order of their accounts.
pub(crate) struct Postings(BTreeMap<Account, Amount>);

impl Postings {
    pub(crate) fn new() -> Postings {
        Postings(BTreeMap::new())
    }

    pub(crate) fn add(&mut self, account: Account, amount: Amount) -> Result<(), Overflow> {
        let sum = self.0.entry(account).or_default();
        *sum = sum.plus(amount)?;
        Ok(())
    }

    /// Takes from the credit account what allocations used.
    fn use_credit(&mut self, customer: Name, allocations: &[Allocation]) -> Result<(), Overflow> {
        for allocation in allocations {
            self.add(Account::CustomerReceivable(customer), allocation.amount.negated())?;
            self.add(Account::CustomerCredit(customer), allocation.amount)?;
        }
        Ok(())
    }

    fn into_vec(self) -> Vec<Posting> {
        let amounts = self.0.into_iter().filter(|(_, amount)| *amount != Amount::ZERO);
        amounts.map(|(account, amount)| Posting::of_money(account, amount)).collect()
    }
}

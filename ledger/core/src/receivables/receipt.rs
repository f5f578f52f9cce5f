//! Payments and credits that people give.
//!
//! Invariants: an invoice is never credited by more than its total; what is
//! taken back of its tax is in proportion, and all of it in the end, however
//! many credit notes that takes.

use stempoint_schemas::currency::minor_units;
use stempoint_schemas::money::{Amount, Overflow};

use super::{Changes, Document, DocumentKind, Holder, Payment, Postings, Receivables};
use crate::names::Names;
use crate::posting::{Account, Entry};
use crate::terms::TermsBook;

/// The largest payment or credit, in units of the currency: a million million
/// of them fit the books.
const AMOUNT_MAX: i128 = 1_000_000_000_000;
/// How much later than its record a payment may have come in (microseconds).
const CLOCK_SKEW_US: i64 = 5 * 60 * 1_000_000;

/// Money that came in, as somebody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentOrder {
    /// Who paid.
    pub customer: String,
    /// The currency.
    pub currency: String,
    /// How much.
    pub amount: Amount,
    /// When the bank had it, microseconds.
    pub received_us: i64,
    /// The invoice that it names.
    pub invoice: Option<String>,
    /// What the bank says of it.
    pub reference: String,
}

/// A credit, as somebody gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditOrder {
    /// Who gets it.
    pub customer: String,
    /// The currency.
    pub currency: String,
    /// How much, tax included; `None` for all that is left of the invoice.
    pub amount: Option<Amount>,
    /// The invoice that it takes back.
    pub invoice: Option<String>,
    /// Why, in words.
    pub reason: String,
}

/// When an act is recorded and from when it counts, microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub offset: u64,
    pub recorded_us: i64,
    pub effective_us: i64,
}

impl Receivables {
    /// Whether a payment may be taken; the error says what is wrong.
    pub fn check_payment(&self, order: &PaymentOrder, names: &Names, recorded_us: i64) -> Result<(), String> {
        check_amount(order.amount, &order.currency)?;
        check_received(order.received_us, recorded_us, "payment")?;
        match &order.invoice {
            Some(number) => self.theirs(number, (&order.customer, &order.currency), names).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Whether a credit may be given; the error says what is wrong.
    pub fn check_credit(&self, order: &CreditOrder, names: &Names) -> Result<(), String> {
        let left = match &order.invoice {
            Some(number) => {
                let invoice = self.theirs(number, (&order.customer, &order.currency), names)?;
                Some(invoice.some_creditable(number)?)
            }
            None => None,
        };
        match (order.amount, left) {
            (None, None) => Err("a credit needs an amount, or the invoice that it takes back".to_owned()),
            (None, Some(_)) => Ok(()),
            (Some(amount), left) => {
                check_amount(amount, &order.currency)?;
                match left.filter(|left| amount > *left) {
                    Some(left) => Err(format!("{amount} is more than the {left} that can be taken back of it")),
                    None => Ok(()),
                }
            }
        }
    }

    pub(super) fn invoice(&self, number: &str) -> Result<&super::Invoice, String> {
        self.invoices.get(number).ok_or_else(|| format!("there is no invoice {number}"))
    }

    fn theirs(&self, number: &str, holder: (&str, &str), names: &Names) -> Result<&super::Invoice, String> {
        let invoice = self.invoice(number)?;
        let text = |name| names.text(name).unwrap_or_default();
        let of = (text(invoice.holder.0), text(invoice.holder.1));
        if of == holder {
            return Ok(invoice);
        }
        Err(format!("{number} is an invoice of {} in {}", of.0, of.1))
    }

    /// Takes a payment that was checked.
    pub(crate) fn receive(&mut self, order: &PaymentOrder, holder: Holder, times: Times) -> Result<Changes, Overflow> {
        let (customer, currency) = holder;
        let name = format!("payment-{}", times.offset);
        self.hold(holder, name.clone(), order.amount);
        let allocations = self.allocate(holder, order.invoice.as_deref())?;
        let mut postings = Postings::new();
        postings.add(Account::TreasuryBank, order.amount)?;
        postings.add(Account::CustomerCredit(customer), order.amount.negated())?;
        postings.use_credit(customer, &allocations)?;
        let payment = Payment {
            name: name.clone(),
            customer,
            currency,
            amount: order.amount,
            received_us: order.received_us,
            invoice: order.invoice.clone(),
            reference: order.reference.clone(),
        };
        let entry = entry(name, currency, times.effective_us, postings);
        Ok(Changes { payment: Some(payment), allocations, entries: vec![entry], ..Changes::default() })
    }

    /// Gives a credit that was checked.
    pub(crate) fn credit(
        &mut self,
        order: &CreditOrder,
        holder: Holder,
        terms: &TermsBook,
        times: Times,
    ) -> Result<Changes, Overflow> {
        let (customer, currency) = holder;
        let (amount, tax, entity) = match order.invoice.as_ref().and_then(|number| self.invoices.get(number)) {
            Some(invoice) => {
                let amount = order.amount.map_or_else(|| invoice.creditable(), Ok)?;
                let places = minor_units(&order.currency);
                let tax_until = |credited: Amount| invoice.tax.in_proportion(credited, invoice.total, places);
                let tax = tax_until(invoice.credited.plus(amount)?)?.minus(tax_until(invoice.credited)?)?;
                (amount, tax, invoice.entity.clone())
            }
            None => (order.amount.unwrap_or_default(), Amount::ZERO, terms.of(customer).entity.clone()),
        };
        let net = amount.minus(tax)?.negated();
        let document = Document {
            number: self.numbers.next(&entity),
            kind: DocumentKind::CreditNote,
            entity,
            customer,
            currency,
            period: None,
            subtotal: net,
            net,
            tax_terms: None,
            tax: tax.negated(),
            total: amount.negated(),
            corrects: order.invoice.clone(),
            reason: Some(order.reason.clone()),
            issued_us: times.recorded_us,
            due_us: None,
        };
        self.add(&document)?;
        let allocations = self.allocate(holder, order.invoice.as_deref())?;
        let mut postings = Postings::new();
        postings.add(Account::PlatformRefunds, net.negated())?;
        postings.add(Account::PlatformTax, tax)?;
        postings.add(Account::CustomerCredit(customer), amount.negated())?;
        postings.use_credit(customer, &allocations)?;
        let entry = entry(document.number.clone(), currency, times.effective_us, postings);
        Ok(Changes { documents: vec![document], allocations, entries: vec![entry], ..Changes::default() })
    }
}

/// The entry of a document that belongs to no month's usage.
pub(crate) fn entry(document: String, asset: crate::names::Name, effective_us: i64, postings: Postings) -> Entry {
    Entry { price: None, period: None, document: Some(document), asset, effective_us, postings: postings.into_vec() }
}

/// Whether the bank can have had money by the time of a record of it.
pub(crate) fn check_received(received_us: i64, recorded_us: i64, of: &str) -> Result<(), String> {
    if received_us > recorded_us.saturating_add(CLOCK_SKEW_US) {
        return Err(format!("received_at is later than the {of}'s record"));
    }
    Ok(())
}

/// Whether money of that amount can change hands.
pub(crate) fn check_amount(amount: Amount, currency: &str) -> Result<(), String> {
    let places = minor_units(currency);
    if amount <= Amount::ZERO {
        return Err("the amount must be more than 0".to_owned());
    }
    if amount.rounded(places) != amount {
        return Err(format!("{amount} {currency} has more than {places} decimal places, and cannot be paid"));
    }
    if amount.pico() / 1_000_000_000_000 > AMOUNT_MAX {
        return Err(format!("the amount must be at most {AMOUNT_MAX}"));
    }
    Ok(())
}

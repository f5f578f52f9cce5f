//! The slow model of what customers owe: a list of invoices, a pot of money
//! for each customer, and one loop that empties pots into open invoices.

use std::collections::BTreeMap;

use stempoint_schemas::time::Month;

use crate::currencies::{holder, of_holder};
use crate::granted::Grants;

/// One cent in 10^-12.
pub const CENT: i128 = 10_000_000_000;

/// An invoice of the model.
#[derive(Debug, Clone)]
pub struct Owing {
    pub number: String,
    pub customer: String,
    pub period: Month,
    pub total: i128,
    pub open: i128,
    tax: i128,
    credited: i128,
    given_up: i128,
    disputed: i128,
}

/// All of it; amounts in 10^-12.
#[derive(Debug, Clone, Default)]
pub struct Owed {
    /// Entity and per cent of tax, of one customer or of the others.
    pub terms: BTreeMap<Option<String>, (String, i128)>,
    pub invoices: Vec<Owing>,
    /// Number, customer and total of everything that was issued.
    pub issued: Vec<(String, String, i128)>,
    numbers: BTreeMap<String, u32>,
    pots: BTreeMap<String, i128>,
    /// What was posted on the platform's accounts, by their names.
    platform: BTreeMap<String, i128>,
    pub grants: Grants,
    bank: i128,
    /// What is set aside of each customer's invoices.
    aside: BTreeMap<String, i128>,
    /// What exchanges did to each account.
    exchanged: BTreeMap<String, i128>,
}

/// A fraction, half away from zero.
fn round(numerator: i128, denominator: i128) -> i128 {
    (2 * numerator + numerator.signum() * denominator) / (2 * denominator)
}

/// Rounded to whole cents.
pub fn in_cents(amount: i128) -> i128 {
    round(amount, CENT) * CENT
}

impl Owed {
    pub fn terms_of(&self, customer: &str) -> (String, i128) {
        let own = self.terms.get(&Some(of_holder(customer).0.to_owned()));
        own.or_else(|| self.terms.get(&None)).cloned().unwrap_or_else(|| ("INV".to_owned(), 0))
    }

    /// Posts on an account of the platform in the currency of a party's account.
    fn post(&mut self, of: &str, account: &str, amount: i128) {
        let account = holder(account, of_holder(of).1 == "EUR");
        *self.platform.entry(account).or_default() += amount;
    }

    fn number(&mut self, entity: &str) -> String {
        let last = self.numbers.entry(entity.to_owned()).or_default();
        *last += 1;
        format!("{entity}-{last:06}")
    }

    /// A month of one customer: what it used, and what its commitment lacks.
    /// Gives the document's number.
    pub fn issue(&mut self, customer: &str, period: Month, used: i128, lacking: i128) -> Option<String> {
        let subtotal = used + lacking;
        let (entity, per_cent) = self.terms_of(customer);
        let net = round(subtotal, CENT) * CENT;
        let tax = round(subtotal * per_cent, 100 * CENT) * CENT;
        let total = net + tax;
        self.post(customer, "platform/rounding", subtotal - net);
        self.post(customer, "platform/revenue", -lacking);
        self.post(customer, "platform/tax", -tax);
        if total == 0 {
            return None;
        }
        let number = self.number(&entity);
        self.issued.push((number.clone(), customer.to_owned(), total));
        if total > 0 {
            let open = total - self.grants.pay(customer, period, total);
            self.invoices.push(Owing {
                number: number.clone(),
                customer: customer.to_owned(),
                period,
                total,
                open,
                tax,
                credited: 0,
                given_up: 0,
                disputed: 0,
            });
        } else {
            *self.pots.entry(customer.to_owned()).or_default() -= total;
        }
        self.empty(customer, None);
        Some(number)
    }

    pub fn pay(&mut self, customer: &str, amount: i128, named: Option<&str>) {
        self.bank += amount;
        *self.pots.entry(customer.to_owned()).or_default() += amount;
        self.empty(customer, named);
    }

    /// What can still be taken back of an invoice.
    pub fn left(&self, number: &str) -> i128 {
        let found = self.invoices.iter().find(|invoice| invoice.number == number);
        found.map_or(0, |invoice| invoice.total - invoice.credited - invoice.given_up - invoice.disputed)
    }

    pub fn credit(&mut self, customer: &str, amount: i128, named: Option<&str>) {
        let (mut tax, mut entity) = (0, self.terms_of(customer).0);
        if let Some(invoice) = self.invoices.iter_mut().find(|invoice| Some(invoice.number.as_str()) == named) {
            let until = |credited: i128| round(invoice.tax * credited, invoice.total * CENT) * CENT;
            tax = until(invoice.credited + amount) - until(invoice.credited);
            invoice.credited += amount;
            entity = invoice.number.split('-').next().unwrap_or_default().to_owned();
        }
        self.post(customer, "platform/tax", tax);
        self.post(customer, "platform/refunds", amount - tax);
        let number = self.number(&entity);
        self.issued.push((number, customer.to_owned(), -amount));
        *self.pots.entry(customer.to_owned()).or_default() += amount;
        self.empty(customer, named);
    }

    /// Gives up what is open of an invoice, or puts it back; false where that may not be.
    pub fn write_off(&mut self, number: &str, amount: Option<i128>, is_put_back: bool) -> bool {
        let Some(invoice) = self.invoices.iter_mut().find(|invoice| invoice.number == number) else { return false };
        let left = if is_put_back { invoice.given_up } else { invoice.open };
        let amount = amount.unwrap_or(left);
        if amount == 0 || amount > left {
            return false;
        }
        let given_up = if is_put_back { -amount } else { amount };
        invoice.given_up += given_up;
        invoice.open -= given_up;
        let customer = invoice.customer.clone();
        self.post(&customer, "platform/bad_debt", given_up);
        self.empty(&customer, None);
        true
    }

    /// What a line of an invoice comes to with its tax.
    pub fn with_tax(&self, number: &str, line: i128) -> i128 {
        let invoice = self.invoices.iter().find(|invoice| invoice.number == number).unwrap();
        round(invoice.total * line, (invoice.total - invoice.tax) * CENT) * CENT
    }

    /// Sets aside what is open of a disputed amount; gives how much that is.
    pub fn dispute(&mut self, number: &str, amount: i128) -> i128 {
        let invoice = self.invoices.iter_mut().find(|invoice| invoice.number == number).unwrap();
        let aside = invoice.open.min(amount);
        invoice.open -= aside;
        invoice.disputed += amount;
        *self.aside.entry(invoice.customer.clone()).or_default() += aside;
        aside
    }

    /// Puts back what was set aside of a disputed amount, and takes back what
    /// was accepted of it.
    pub fn resolve(&mut self, number: &str, (amount, aside, accepted): (i128, i128, i128)) {
        let invoice = self.invoices.iter_mut().find(|invoice| invoice.number == number).unwrap();
        invoice.open += aside;
        invoice.disputed -= amount;
        let customer = invoice.customer.clone();
        *self.aside.entry(customer.clone()).or_default() -= aside;
        match accepted {
            0 => self.empty(&customer, Some(number)),
            accepted => self.credit(&customer, accepted, Some(number)),
        }
    }

    /// What is given to a provider beyond what it earned.
    pub fn give(&mut self, provider: &str, amount: i128) {
        self.post(provider, "platform/refunds", amount);
    }

    /// One currency for the other; false where that may not be. The rate is in 10^-4.
    pub fn exchange(&mut self, to_euro: bool, given: u32, got: u32, rate: Option<u32>) -> bool {
        if given == 0 || got == 0 || rate == Some(0) {
            return false;
        }
        let (from, to) = if to_euro { ("", "EUR ") } else { ("EUR ", "") };
        let (given, got) = (i128::from(given) * CENT, i128::from(got) * CENT);
        let worth = rate.map_or(got, |rate| given * i128::from(rate) / 10_000);
        for (asset, account, amount) in [
            (from, "treasury/bank", -given),
            (from, "treasury/exchange", given),
            (to, "treasury/bank", got),
            (to, "treasury/exchange", -worth),
            (to, "platform/exchange", worth - got),
        ] {
            *self.exchanged.entry(format!("{asset}{account}")).or_default() += amount;
        }
        true
    }

    /// Pays what is open, the named invoice before all others.
    fn empty(&mut self, customer: &str, named: Option<&str>) {
        let pot = self.pots.entry(customer.to_owned()).or_default();
        let (first, rest): (Vec<_>, Vec<_>) =
            self.invoices.iter_mut().partition(|invoice| Some(invoice.number.as_str()) == named);
        for invoice in first.into_iter().chain(rest).filter(|invoice| invoice.customer == customer) {
            let paid = invoice.open.min(*pot);
            invoice.open -= paid;
            *pot -= paid;
        }
    }

    /// Adds what is open, what is held and what the platform has.
    pub fn add_to(&self, balances: &mut BTreeMap<String, i128>) {
        let mut add = |account: String, amount: i128| *balances.entry(account).or_default() += amount;
        for invoice in &self.invoices {
            add(format!("{}/receivable", invoice.customer), invoice.open);
        }
        for (customer, pot) in &self.pots {
            add(format!("{customer}/credit"), -pot);
        }
        for (customer, aside) in &self.aside {
            add(format!("{customer}/disputed"), *aside);
        }
        self.grants.add_to(balances);
        let mut add = |account: String, amount: i128| *balances.entry(account).or_default() += amount;
        add("treasury/bank".to_owned(), self.bank);
        for (account, amount) in self.platform.iter().chain(&self.exchanged) {
            add(account.clone(), *amount);
        }
    }
}

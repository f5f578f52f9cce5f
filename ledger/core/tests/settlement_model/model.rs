//! The slow model: it keeps every usage row, rates it anew after each event,
//! and multiplies and rounds once at the end.

use std::collections::{BTreeMap, BTreeSet};

use stempoint_core::charge::Side;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::time::{Hour, Month};

use crate::adjustments::{Adjustments, UsedKey};
use crate::agreed::{Agreed, TrueUpRow};
use crate::corrected::Sent;
use crate::currencies::{self, Currencies, of_holder};
use crate::disputed::Contested;
use crate::owed::{self, Owed};
use crate::scenario::{BookSpec, Place, PriceSpec, Row};
use crate::watched::{Totals, Watched};

/// What the model holds of a row's quantity of one meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rated {
    /// The index of the book and the position in it.
    At(usize, usize),
    Unrated,
    NotBilled,
    Waived,
}

/// A row's quantity of one meter.
#[derive(Debug, Clone)]
pub struct Item {
    row: Row,
    meter: usize,
    rated: Rated,
    /// Where it is billed.
    period: Month,
    /// Taken back: what was billed in a month that is closed.
    negative: bool,
    /// Which row of those that were sent.
    origin: usize,
}

/// The slow model.
#[derive(Default)]
pub struct Model {
    /// What holds now.
    pub items: Vec<Item>,
    /// What stays because its month was closed, and what takes it back.
    pub fixed: Vec<Item>,
    pub books: Vec<BookSpec>,
    /// Every row that was settled, in order.
    pub sent: Vec<Sent>,
    pub closing: Option<Month>,
    pub last_closed: Option<Month>,
    pub owed: Owed,
    pub agreed: Agreed,
    /// What charge models added so far.
    adjustments: Adjustments,
    pub watched: Watched,
    pub currencies: Currencies,
    /// The providers' statements, in order.
    pub stated: Vec<StatedRow>,
    /// What each provider earned in closed months, and what of it was stated
    /// to be paid.
    earnings: BTreeMap<String, (i128, i128)>,
    pub disputes: Vec<Contested>,
    /// What each provider was given in disputes, and whether a statement must
    /// say so yet.
    given: BTreeMap<String, (i128, bool)>,
}

/// Number, provider, month, earnings and what is to be paid of a statement.
pub type StatedRow = (String, String, Month, i128, i128);

impl Model {
    /// Where a row counts: its party by the name of its account.
    fn place(&self, row: &Row, side: Side, meter: usize) -> Place {
        let mut place = row.place(side, Meter::ALL[meter]);
        place.1 = currencies::holder(&place.1, self.currencies.is_euro(row.customer, row.hour().month()));
        place
    }

    fn rate(books: &[BookSpec], row: &Row, meter: usize, is_euro: bool) -> Rated {
        let mut holds: Option<usize> = None;
        for (index, book) in books.iter().enumerate() {
            let later = holds.is_none_or(|best| books[best].hour <= book.hour);
            if book.euro == is_euro && book.hour <= row.hour && later {
                holds = Some(index);
            }
        }
        let Some(index) = holds else { return Rated::Unrated };
        let prices = || books[index].prices.iter().enumerate().filter(|(_, price)| price.meter == meter);
        let one = |customer, named| {
            prices().find(|(_, price)| (price.customer, price.named) == (customer, named)).map(|(position, _)| position)
        };
        let (customer, named) = (Some(row.customer), Some(row.model));
        let found = one(customer, named).or(one(customer, None)).or(one(None, named)).or(one(None, None));
        let waits = if prices().any(|(_, price)| price.customer.is_none()) { Rated::Unrated } else { Rated::NotBilled };
        found.map_or(waits, |position| Rated::At(index, position))
    }

    pub fn rate_all(&mut self) {
        let Model { items, fixed, books, last_closed, currencies, .. } = self;
        for item in items.iter_mut() {
            let is_euro = currencies.is_euro(item.row.customer, item.row.hour().month());
            let rated = Model::rate(books, &item.row, item.meter, is_euro);
            if item.rated == Rated::Waived || rated == item.rated {
                continue;
            }
            if let Some(last) = *last_closed
                && item.period <= last
            {
                fixed.push(item.clone());
                item.period = last.next();
                fixed.push(Item { negative: true, ..item.clone() });
            }
            item.rated = rated;
        }
        self.adjust();
    }

    /// Posts what charge models add to the use that there is now.
    fn adjust(&mut self) {
        let mut used: BTreeMap<UsedKey, BTreeMap<Month, i128>> = BTreeMap::new();
        for item in self.items.iter().chain(&self.fixed) {
            let Rated::At(book, position) = item.rated else { continue };
            let customer = self.place(&item.row, Side::Customer, item.meter).1;
            let sign = if item.negative { -1 } else { 1 };
            let key = (customer, book, position, item.row.hour().month());
            let by_period = used.entry(key).or_default();
            *by_period.entry(item.period).or_default() += sign * item.row.quantities()[item.meter];
        }
        self.adjustments.post(used, &self.books);
    }

    pub fn settle(&mut self, rows: &[Row]) {
        let first = self.closing.or(self.last_closed).map(Month::next);
        for row in rows {
            let month = row.hour().month();
            let period = first.map_or(month, |first| first.max(month));
            self.add(row, period, self.sent.len());
            self.sent.push(Sent { now: Some(row.clone()), period });
        }
        self.adjust();
    }

    fn add(&mut self, row: &Row, period: Month, origin: usize) {
        for (meter, quantity) in row.quantities().into_iter().enumerate() {
            if quantity != 0 {
                let is_euro = self.currencies.is_euro(row.customer, row.hour().month());
                let rated = Model::rate(&self.books, row, meter, is_euro);
                self.items.push(Item { row: row.clone(), meter, rated, period, negative: false, origin });
            }
        }
    }

    /// Takes a row out of the list, and puts what it should have said into it.
    pub fn correct(&mut self, which: usize, put: Option<Row>) {
        let (gone, stay) = std::mem::take(&mut self.items).into_iter().partition(|item| item.origin == which);
        self.items = stay;
        let open = |period: Month| self.last_closed.map_or(period, |last| period.max(last.next()));
        let gone: Vec<Item> = gone;
        for item in gone.into_iter().filter(|item| open(item.period) != item.period) {
            let period = open(item.period);
            self.fixed.push(item.clone());
            self.fixed.push(Item { negative: true, period, ..item });
        }
        let period = open(self.sent[which].period);
        if let Some(row) = &put {
            self.add(row, period, which);
        }
        self.sent[which] = Sent { now: put, period };
        self.adjust();
    }

    pub fn waive(&mut self, meter: usize, month: Month, named: Option<u8>) {
        for item in &mut self.items {
            let meant =
                item.meter == meter && item.period == month && named.is_none_or(|named| named == item.row.model);
            if meant && item.rated == Rated::Unrated {
                item.rated = Rated::Waived;
            }
        }
    }

    /// Whether a month can be closed next.
    pub fn can_close(&self, month: Month) -> bool {
        self.closing.is_none() && self.last_closed.is_none_or(|last| last.next() == month)
    }

    /// The meters and months that keep a month from being closed.
    pub fn unrated_up_to(&self, month: Month) -> BTreeSet<(usize, Month)> {
        let waits = |item: &&Item| item.period <= month && item.rated == Rated::Unrated;
        self.items.iter().filter(waits).map(|item| (item.meter, item.period)).collect()
    }

    /// Whether it can be closed for good.
    pub fn closed(&mut self, month: Month) -> bool {
        let is_done = self.closing == Some(month) && self.unrated_up_to(month).is_empty();
        if is_done {
            self.state(month);
            self.issue(month);
            self.owed.grants.end(month);
            (self.closing, self.last_closed) = (None, Some(month));
        }
        is_done
    }

    /// Quantities by place, hour and billing period, and what holds for them.
    pub fn charges(&self) -> BTreeMap<(Place, (i32, Month), Rated), i128> {
        let mut sums = BTreeMap::new();
        for item in self.items.iter().chain(&self.fixed) {
            let quantity = item.row.quantities()[item.meter] * if item.negative { -1 } else { 1 };
            for side in [Side::Customer, Side::Provider] {
                let place = self.place(&item.row, side, item.meter);
                *sums.entry((place, (item.row.hour().0, item.period), item.rated)).or_insert(0) += quantity;
            }
        }
        sums.retain(|_, quantity| *quantity != 0);
        sums
    }

    /// Which customers are charged for use since a month began, and in which
    /// months.
    pub fn used_since(&self, from: Month) -> BTreeSet<(u8, Month)> {
        let charges = self.charges();
        let used =
            charges.keys().filter(|((side, ..), (hour, _), _)| *side == Side::Customer && Hour(*hour).month() >= from);
        used.map(|((_, party, ..), (hour, _), _)| {
            let number = of_holder(party).0.trim_start_matches("customer-").parse().unwrap();
            (number, Hour(*hour).month())
        })
        .collect()
    }

    /// Invoices a month and those before it that never were: month by month,
    /// customer by customer.
    fn issue(&mut self, month: Month) {
        let billed = self.billed();
        let first = self.last_closed.map_or(month.index() - 50, |last| last.index() + 1);
        for of in (first..=month.index()).map(Month::from_index) {
            let mut lacking: BTreeMap<String, TrueUpRow> =
                self.agreed.lacking(of, &billed).into_iter().map(|row| (row.0.clone(), row)).collect();
            let used = billed.keys().filter(|(period, _)| *period == of).map(|(_, customer)| customer.clone());
            let holders: BTreeSet<String> = used.chain(lacking.keys().cloned()).collect();
            let mut holders: Vec<String> = holders.into_iter().collect();
            holders.sort_by(|one, other| of_holder(one).cmp(&of_holder(other)));
            for customer in holders {
                let used = billed.get(&(of, customer.clone())).copied().unwrap_or(0);
                let row = lacking.remove(&customer);
                let more = row.as_ref().map_or(0, |row| row.3 - row.4);
                let number = self.owed.issue(&customer, of, used, more);
                self.agreed.true_ups.extend(
                    row.map(|(whose, first, last, committed, sum, _)| (whose, first, last, committed, sum, number)),
                );
            }
        }
    }

    /// What each party's months come to by price and quantity alone, in 10^-12.
    fn linear(&self, side: Side) -> BTreeMap<(Month, String), i128> {
        let mut keys: BTreeMap<(Place, Month, usize, usize), i128> = BTreeMap::new();
        for ((place, (_, month), rated), quantity) in self.charges() {
            if let (true, Rated::At(book, position)) = (place.0 == side, rated) {
                *keys.entry((place, month, book, position)).or_default() += quantity;
            }
        }
        let mut sums = BTreeMap::new();
        for ((place, month, book, position), quantity) in keys {
            let part = if side == Side::Customer { 100 } else { self.share(book, position) };
            *sums.entry((month, place.1)).or_default() += self.price(book, position, part, quantity);
        }
        sums
    }

    /// What each customer's months cost, in 10^-12.
    fn billed(&self) -> BTreeMap<(Month, String), i128> {
        let mut billed = self.linear(Side::Customer);
        for (of, amount) in &self.adjustments.posted {
            *billed.entry(of.clone()).or_default() += amount;
        }
        billed
    }

    /// States what providers earned in a month and those before it that were
    /// never closed: what is paid so far is what was earned so far, in cents.
    fn state(&mut self, month: Month) {
        let mut rows = self.linear(Side::Provider);
        rows.retain(|(of, _), amount| *amount != 0 && *of <= month && self.last_closed.is_none_or(|last| *of > last));
        for (provider, (_, is_new)) in &mut self.given {
            let is_stated = rows.keys().any(|(_, other)| other == provider);
            if std::mem::take(is_new) && !is_stated {
                rows.insert((month, provider.clone()), 0);
            }
        }
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_by(|((one, of), _), ((other, than), _)| (one, of_holder(of)).cmp(&(other, of_holder(than))));
        for ((of, provider), amount) in rows {
            let entity = self.owed.terms_of(&provider).0;
            let number = self.stated.iter().filter(|row| row.0.starts_with(&format!("{entity}-S-"))).count() + 1;
            let (earned, paid) = self.earnings.entry(provider.clone()).or_default();
            *earned += amount;
            let total = owed::in_cents(*earned - *paid);
            *paid += total;
            self.stated.push((format!("{entity}-S-{number:06}"), provider, of, amount, total));
        }
    }

    /// The lines of a party's month that come to something: what each is of,
    /// the price row, and the exact amount.
    pub fn lines(&self, side: Side, party: &str, period: Month) -> Vec<(Place, (usize, usize), i128)> {
        let mut sums: BTreeMap<(Place, usize, usize), i128> = BTreeMap::new();
        for ((place, (_, month), rated), quantity) in self.charges() {
            if let (true, Rated::At(book, position)) = ((place.0, &*place.1, month) == (side, party, period), rated) {
                *sums.entry((place, book, position)).or_default() += quantity;
            }
        }
        let amount = |book, position, quantity| {
            let part = if side == Side::Customer { 100 } else { self.share(book, position) };
            self.price(book, position, part, quantity)
        };
        let lines = sums
            .into_iter()
            .map(|((place, book, position), quantity)| (place, (book, position), amount(book, position, quantity)));
        lines.filter(|(.., amount)| *amount != 0).collect()
    }

    /// Gives a provider what it asked for.
    pub fn give(&mut self, provider: &str, amount: i128) {
        self.owed.give(provider, amount);
        let (given, is_new) = self.given.entry(provider.to_owned()).or_default();
        *given += amount;
        *is_new |= amount != 0;
        self.earnings.entry(provider.to_owned()).or_default().0 += amount;
    }

    /// Looks at all budgets after a control event.
    pub fn look(&mut self, offset: u64) {
        let mut totals = Totals::new();
        for ((month, customer), amount) in self.billed() {
            totals.insert((month, customer, None), amount);
        }
        for ((place, (_, month), rated), quantity) in self.charges() {
            if let (Side::Customer, Rated::At(..)) = (place.0, rated) {
                *totals.entry((month, of_holder(&place.1).0.to_owned(), Some(place.2.index()))).or_default() +=
                    quantity;
            }
        }
        self.watched.look(&totals, self.last_closed, offset);
    }

    /// What must be on the accounts, in 10^-12.
    pub fn balances(&self) -> BTreeMap<String, i128> {
        let mut keys: BTreeMap<(Place, Month, usize, usize), i128> = BTreeMap::new();
        let mut totals: BTreeMap<(Month, usize, usize), i128> = BTreeMap::new();
        for ((place, (_, month), rated), quantity) in self.charges() {
            let Rated::At(book, position) = rated else { continue };
            if place.0 == Side::Customer {
                *totals.entry((month, book, position)).or_default() += quantity;
            }
            *keys.entry((place, month, book, position)).or_default() += quantity;
        }
        let mut balances = BTreeMap::new();
        let mut add = |book: usize, account: &str, amount: i128| {
            let is_euro = self.books[book].euro;
            *balances.entry(currencies::holder(account, is_euro)).or_insert(0) += amount;
            *balances.entry(currencies::holder("platform/rounding", is_euro)).or_insert(0) -= amount;
        };
        // A share is rounded for each price row, month and dimensions, whoever served.
        let mut owned: BTreeMap<(usize, usize, usize, String, String, Month), i128> = BTreeMap::new();
        for ((place, month, book, position), quantity) in keys.iter().filter(|(key, _)| key.0.0 == Side::Provider) {
            let owners = self.books[*book].owners.iter().enumerate().filter(|(_, owner)| owner.is_of(place));
            for (number, _) in owners {
                let key = (*book, number, *position, place.3.clone(), place.4.clone(), *month);
                *owned.entry(key).or_default() += quantity;
            }
        }
        let mut royalties = BTreeMap::new();
        for ((book, number, position, ..), quantity) in owned {
            let owner = &self.books[book].owners[number];
            let amount = self.price(book, position, i128::from(owner.per_cent), quantity);
            let is_euro = self.books[book].euro;
            *royalties.entry(currencies::holder(&owner.account(), is_euro)).or_insert(0) -= amount;
            *royalties.entry(currencies::holder("platform/revenue", is_euro)).or_insert(0) += amount;
        }
        for ((place, _, book, position), quantity) in keys {
            let (side, party) = (place.0, of_holder(&place.1).0);
            match side {
                Side::Customer => add(book, &format!("{party}/receivable"), self.price(book, position, 100, quantity)),
                Side::Provider => {
                    let part = self.share(book, position);
                    add(book, &format!("{party}/payable"), -self.price(book, position, part, quantity));
                }
            }
        }
        for ((_, book, position), quantity) in totals {
            let part = 100 - self.share(book, position);
            add(book, "platform/revenue", -self.price(book, position, part, quantity));
        }
        // What charge models add is between the customer and the platform.
        for ((_, customer), amount) in &self.adjustments.posted {
            *balances.entry(format!("{customer}/receivable")).or_default() += amount;
            let is_euro = of_holder(customer).1 == "EUR";
            *balances.entry(currencies::holder("platform/revenue", is_euro)).or_default() -= amount;
        }
        // Once a month is closed, what is open of its invoice stands there instead.
        for ((month, customer), amount) in self.billed() {
            if self.last_closed.is_some_and(|last| month <= last) {
                *balances.entry(format!("{customer}/receivable")).or_default() -= amount;
            }
        }
        for (account, amount) in royalties {
            *balances.entry(account).or_default() += amount;
        }
        self.owed.add_to(&mut balances);
        for (provider, (given, _)) in &self.given {
            *balances.entry(format!("{provider}/payable")).or_default() -= given;
        }
        balances.retain(|_, amount| *amount != 0);
        balances
    }

    fn share(&self, book: usize, position: usize) -> i128 {
        let meter = self.books[book].prices[position].meter;
        self.books[book].shares.iter().find(|share| share.0 == meter).map_or(0, |share| i128::from(share.1))
    }

    /// A part in per cent of what a quantity costs, half away from zero.
    fn price(&self, book: usize, position: usize, per_cent: i128, quantity: i128) -> i128 {
        let PriceSpec { amount, per, .. } = self.books[book].prices[position];
        let numerator = quantity * i128::from(amount) * 1_000_000 * per_cent;
        let denominator = i128::from(per) * 1_000_000_000 * 100;
        (2 * numerator + numerator.signum() * denominator) / (2 * denominator)
    }
}

//! The settlement state machine against a slow model that knows nothing of
//! charges that move or of amounts posted before: it keeps every usage row,
//! rates it anew after each event, and multiplies and rounds once at the end.
//!
//! Guards invariants 1 to 5, 8 and 9 of the core: conservation, balance,
//! append-only corrections, exact rounding wherever settlements were cut,
//! answers to repeats and conflicts, and the same books after a restart.

use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message;
use stempoint_core::book::{BookPrice, PriceBook};
use stempoint_core::charge::{Charge, ChargeKey, PriceId, Side, State};
use stempoint_core::control::{Act, Waive, to_proto};
use stempoint_core::names::{Name, Names};
use stempoint_core::posting::Account;
use stempoint_core::settlement::{Answer, ChargeFilter, ControlRecord, Need, Outcome, Settlement, Supply};
use stempoint_core::usage::{Dimensions, Usage, UsageCell};
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::{Amount, Price, Quantity, Share};
use stempoint_schemas::time::{Hour, Instant, Month};
use stempoint_schemas::watermark::Watermarks;

const SOURCE: &[u8] = b"operator/test";
/// Two hours before a month ends, so that scenarios cross into the next.
fn first_hour() -> i32 {
    Instant::parse("2026-01-31T22:00:00Z").unwrap().hour().0
}

/// One usage row; numbers stand for names.
#[derive(Debug, Clone)]
struct Row {
    customer: u8,
    provider: u8,
    kind: u8,
    model: u8,
    region: Option<u8>,
    hour: i32,
    amounts: [u32; 3],
}

#[derive(Debug, Clone)]
struct BookSpec {
    euro: bool,
    hour: i32,
    /// Meter, which model or GPU it names, amount in 10^-6, per.
    prices: Vec<(usize, Option<u8>, u32, u32)>,
    /// Meter and per cent.
    shares: Vec<(usize, u8)>,
}

#[derive(Debug, Clone)]
enum Step {
    Settle(Vec<Row>),
    Book(BookSpec),
    Waive { meter: usize, second_month: bool, named: Option<u8> },
    Repeat(usize),
    Conflict(usize),
    Restart,
}

fn row() -> impl Strategy<Value = Row> {
    let names = (0..3_u8, 0..3_u8, 0..2_u8, 0..2_u8, prop::option::of(0..2_u8));
    (names, 0..5, prop::array::uniform3(0..2_000_000_u32)).prop_map(|(names, hour, amounts)| Row {
        customer: names.0,
        provider: names.1,
        kind: names.2,
        model: names.3,
        region: names.4,
        hour,
        amounts,
    })
}

fn book() -> impl Strategy<Value = BookSpec> {
    let price = (0..6_usize, prop::option::of(0..2_u8), 0..5_000_000_u32, 1..4_000_000_u32);
    let share = (0..6_usize, 0..=100_u8);
    let parts = (prop::collection::vec(price, 1..6), prop::collection::vec(share, 0..4));
    (prop::bool::weighted(0.15), -1..6, parts).prop_map(|(euro, hour, (mut prices, mut shares))| {
        // Two prices that could tie, or two shares of a meter, would be refused.
        prices.sort_by_key(|price| (price.0, price.1));
        prices.dedup_by_key(|price| (price.0, price.1));
        shares.sort_unstable_by_key(|share| share.0);
        shares.dedup_by_key(|share| share.0);
        BookSpec { euro, hour, prices, shares }
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(row(), 0..12).prop_map(Step::Settle),
        3 => book().prop_map(Step::Book),
        2 => (0..6_usize, any::<bool>(), prop::option::of(0..2_u8))
            .prop_map(|(meter, second_month, named)| Step::Waive { meter, second_month, named }),
        1 => any::<usize>().prop_map(Step::Repeat),
        1 => any::<usize>().prop_map(Step::Conflict),
        1 => Just(Step::Restart),
    ]
}

/// A charge's or a rounding key's place, in texts: side, party, meter, named
/// dimension, region.
type Place = (Side, String, Meter, String, String);

fn named_of(kind: u8, model: u8) -> String {
    format!("{}-{model}", if kind == 0 { "model" } else { "gpu" })
}

impl Row {
    fn place(&self, side: Side, meter: Meter) -> Place {
        let party = match side {
            Side::Customer => format!("customer-{}", self.customer),
            Side::Provider => format!("provider-{}", self.provider),
        };
        let region = self.region.map(|region| format!("region-{region}")).unwrap_or_default();
        (side, party, meter, named_of(self.kind, self.model), region)
    }

    /// In 10^-9 of each meter's unit.
    fn quantities(&self) -> [i128; 6] {
        let [one, two, three] = self.amounts.map(i128::from);
        let unit = 1_000_000_000;
        if self.kind == 0 {
            [one * unit, two * unit, three * unit, unit, 0, 0]
        } else {
            [0, 0, 0, 0, one * 1_000_003, two * unit]
        }
    }

    fn hour(&self) -> Hour {
        Hour(first_hour() + self.hour)
    }
}

impl BookSpec {
    fn book(&self) -> PriceBook {
        let prices = self.prices.iter().map(|&(meter, named, amount, per)| {
            let meter = Meter::ALL[meter];
            let dimension = meter.dimensions()[0];
            let kind = u8::from(dimension == Dimension::Gpu);
            BookPrice {
                meter,
                matches: named.map(|named| (dimension, named_of(kind, named))).into_iter().collect(),
                price: Price::new(
                    Amount::from_pico(i128::from(amount) * 1_000_000).unwrap(),
                    Quantity::from_nano(i128::from(per) * 1_000_000_000).unwrap(),
                )
                .unwrap(),
            }
        });
        let share = |per_cent: u8| Share::parse(&format!("{}.{:02}", per_cent / 100, per_cent % 100)).unwrap().unwrap();
        PriceBook {
            currency: if self.euro { "EUR" } else { "USD" }.to_owned(),
            effective_from: Hour(first_hour() + self.hour),
            prices: prices.collect(),
            shares: self.shares.iter().map(|&(meter, per_cent)| (Meter::ALL[meter], share(per_cent))).collect(),
        }
    }
}

/// What the model holds of a row's quantity of one meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rated {
    /// The index of the book and the position in it.
    At(usize, usize),
    Unrated,
    NotBilled,
    Waived,
}

/// The slow model.
#[derive(Default)]
struct Model {
    rows: Vec<(Row, usize, Rated)>,
    books: Vec<BookSpec>,
}

impl Model {
    fn rate(books: &[BookSpec], row: &Row, meter: usize) -> Rated {
        let mut holds: Option<usize> = None;
        for (index, book) in books.iter().enumerate() {
            let later = holds.is_none_or(|best| books[best].hour <= book.hour);
            if !book.euro && book.hour <= row.hour && later {
                holds = Some(index);
            }
        }
        let Some(index) = holds else { return Rated::Unrated };
        let prices = || books[index].prices.iter().enumerate().filter(|(_, price)| price.0 == meter);
        if prices().next().is_none() {
            return Rated::NotBilled;
        }
        let exact = prices().find(|(_, price)| price.1 == Some(row.model));
        let any = prices().find(|(_, price)| price.1.is_none());
        exact.or(any).map_or(Rated::Unrated, |(position, _)| Rated::At(index, position))
    }

    fn rate_all(&mut self) {
        for (row, meter, rated) in &mut self.rows {
            if *rated != Rated::Waived {
                *rated = Model::rate(&self.books, row, *meter);
            }
        }
    }

    fn settle(&mut self, rows: &[Row]) {
        for row in rows {
            for (meter, quantity) in row.quantities().into_iter().enumerate() {
                if quantity != 0 {
                    self.rows.push((row.clone(), meter, Model::rate(&self.books, row, meter)));
                }
            }
        }
    }

    fn waive(&mut self, meter: usize, month: Month, named: Option<u8>) {
        for (row, of, rated) in &mut self.rows {
            let meant = *of == meter && row.hour().month() == month && named.is_none_or(|named| named == row.model);
            if meant && *rated == Rated::Unrated {
                *rated = Rated::Waived;
            }
        }
    }

    /// Quantities by place, hour and what holds for them.
    fn charges(&self) -> BTreeMap<(Place, i32, Rated), i128> {
        let mut sums = BTreeMap::new();
        for (row, meter, rated) in &self.rows {
            for side in [Side::Customer, Side::Provider] {
                let key = (row.place(side, Meter::ALL[*meter]), row.hour().0, *rated);
                *sums.entry(key).or_insert(0) += row.quantities()[*meter];
            }
        }
        sums
    }

    /// What must be on the accounts, in 10^-12.
    fn balances(&self) -> BTreeMap<String, i128> {
        let mut keys: BTreeMap<(Place, Month, usize, usize), i128> = BTreeMap::new();
        let mut totals: BTreeMap<(Month, usize, usize), i128> = BTreeMap::new();
        for ((place, hour, rated), quantity) in self.charges() {
            let Rated::At(book, position) = rated else { continue };
            let month = Hour(hour).month();
            if place.0 == Side::Customer {
                *totals.entry((month, book, position)).or_default() += quantity;
            }
            *keys.entry((place, month, book, position)).or_default() += quantity;
        }
        let mut balances = BTreeMap::new();
        let mut add = |account: String, amount: i128| {
            *balances.entry(account).or_insert(0) += amount;
            *balances.entry("platform/rounding".to_owned()).or_insert(0) -= amount;
        };
        for ((place, _, book, position), quantity) in keys {
            let (side, party) = (place.0, place.1);
            match side {
                Side::Customer => add(format!("{party}/receivable"), self.price(book, position, 100, quantity)),
                Side::Provider => {
                    let part = self.share(book, position);
                    add(format!("{party}/payable"), -self.price(book, position, part, quantity));
                }
            }
        }
        for ((_, book, position), quantity) in totals {
            let part = 100 - self.share(book, position);
            add("platform/revenue".to_owned(), -self.price(book, position, part, quantity));
        }
        balances.retain(|_, amount| *amount != 0);
        balances
    }

    fn share(&self, book: usize, position: usize) -> i128 {
        let meter = self.books[book].prices[position].0;
        self.books[book].shares.iter().find(|share| share.0 == meter).map_or(0, |share| i128::from(share.1))
    }

    /// A part in per cent of what a quantity costs, half away from zero.
    fn price(&self, book: usize, position: usize, per_cent: i128, quantity: i128) -> i128 {
        let (_, _, amount, per) = self.books[book].prices[position];
        let numerator = quantity * i128::from(amount) * 1_000_000 * per_cent;
        let denominator = i128::from(per) * 1_000_000_000 * 100;
        (2 * numerator + numerator.signum() * denominator) / (2 * denominator)
    }
}

/// A charge in texts, as it stands in its table.
type StoredCharge = (Place, i32, Rated, i128);

/// The tables and the state machine over them.
struct Books {
    settlement: Settlement,
    rows: Vec<Row>,
    controls: Vec<(Vec<u8>, Answer)>,
    charges: Vec<StoredCharge>,
    balances: BTreeMap<String, i128>,
}

impl Books {
    fn new() -> Books {
        Books {
            settlement: Settlement::new("USD"),
            rows: Vec::new(),
            controls: Vec::new(),
            charges: Vec::new(),
            balances: BTreeMap::new(),
        }
    }

    /// Has the state machine handle an event; gives its answer.
    fn handle(&mut self, value: &[u8]) -> Answer {
        let offset = self.controls.len() as u64;
        let record = ControlRecord { offset, recorded_us: 0, key: Some(SOURCE), value };
        let pending = self.settlement.read(record);
        let supply = match &pending.need {
            Need::Nothing => Supply::Nothing,
            Need::Usage { from, to } => Supply::Usage(self.usage(from.get(0), to.get(0))),
            Need::Charges(filter) => {
                let filter = filter.clone();
                Supply::Charges(self.charges_for(&filter))
            }
        };
        let outcome = self.settlement.apply(pending, supply).unwrap();
        self.store(&outcome);
        self.controls.push((value.to_vec(), outcome.control.answer));
        outcome.control.answer
    }

    fn usage(&self, from: u64, to: u64) -> Usage {
        let mut usage = Usage::default();
        let currency = usage.names.intern("USD");
        for row in &self.rows[from as usize..to as usize] {
            let named = usage.names.intern(&named_of(row.kind, row.model));
            let region = row.region.map_or(Name::NONE, |region| usage.names.intern(&format!("region-{region}")));
            let (model, gpu) = if row.kind == 0 { (named, Name::NONE) } else { (Name::NONE, named) };
            for side in [Side::Customer, Side::Provider] {
                let cell = UsageCell {
                    party: usage.names.intern(&row.place(side, Meter::Requests).1),
                    currency,
                    dimensions: Dimensions { model, gpu, region },
                    hour: row.hour(),
                    quantities: row.quantities(),
                };
                if side == Side::Customer { usage.customers.push(cell) } else { usage.providers.push(cell) }
            }
            usage.rows += 1;
        }
        usage
    }

    fn charges_for(&mut self, filter: &ChargeFilter) -> Vec<Charge> {
        let meant = |(place, hour, rated, _): &&StoredCharge| match filter {
            ChargeFilter::Hours { currency, from, until } => {
                currency == "USD"
                    && *hour >= from.0
                    && until.is_none_or(|until| *hour < until.0)
                    && *rated != Rated::Waived
            }
            ChargeFilter::Unrated(waive) => {
                *rated == Rated::Unrated
                    && place.2 == waive.meter
                    && Hour(*hour).month() == waive.period
                    && waive.matches.iter().all(|(_, value)| *value == place.3)
            }
        };
        let stored: Vec<StoredCharge> = self.charges.iter().filter(meant).cloned().collect();
        stored.iter().map(|charge| restored(charge, self.settlement.names_mut())).collect()
    }

    fn store(&mut self, outcome: &Outcome) {
        let names = self.settlement.names();
        let text = |name: Name| names.text(name).unwrap_or_default().to_owned();
        for Charge { key, state, quantity } in &outcome.charges {
            let named = text(if key.dimensions.gpu.is_none() { key.dimensions.model } else { key.dimensions.gpu });
            let place = (key.side, text(key.party), key.meter, named, text(key.dimensions.region));
            let rated = match state {
                State::Charged(price) => Rated::At(price.book as usize, price.position as usize),
                State::Unrated => Rated::Unrated,
                State::NotBilled => Rated::NotBilled,
                State::Waived => Rated::Waived,
            };
            self.charges.push((place, key.hour.0, rated, quantity.nano()));
        }
        for entry in &outcome.entries {
            assert_eq!(entry.postings.iter().map(|posting| posting.amount.pico()).sum::<i128>(), 0);
            for posting in &entry.postings {
                let account = match posting.account {
                    Account::CustomerReceivable(name) => format!("{}/receivable", text(name)),
                    Account::ProviderPayable(name) => format!("{}/payable", text(name)),
                    Account::PlatformRevenue => "platform/revenue".to_owned(),
                    Account::PlatformRounding => "platform/rounding".to_owned(),
                };
                *self.balances.entry(account).or_insert(0) += posting.amount.pico();
            }
        }
    }

    /// Builds the state anew from what is stored.
    fn restart(&mut self) {
        let mut settlement = Settlement::new("USD");
        for (offset, (value, answer)) in self.controls.iter().enumerate() {
            let record = ControlRecord { offset: offset as u64, recorded_us: 0, key: Some(SOURCE), value };
            settlement.restore_control(record, *answer);
        }
        for charge in &self.charges {
            let charge = restored(charge, settlement.names_mut());
            settlement.restore_charge(&charge).unwrap();
        }
        self.settlement = settlement;
    }

    /// The charges added up; what cancels out is left out.
    fn net(&self) -> BTreeMap<(Place, i32, Rated), i128> {
        let mut sums = BTreeMap::new();
        for (place, hour, rated, quantity) in &self.charges {
            *sums.entry((place.clone(), *hour, *rated)).or_insert(0) += quantity;
        }
        sums.retain(|_, quantity| *quantity != 0);
        sums
    }

    fn accounts(&self) -> BTreeMap<String, i128> {
        self.balances.iter().filter(|(_, amount)| **amount != 0).map(|(name, amount)| (name.clone(), *amount)).collect()
    }
}

fn restored((place, hour, rated, quantity): &StoredCharge, names: &mut Names) -> Charge {
    let (side, party, meter, named, region) = place;
    let mut dimensions = Dimensions::default();
    let named = names.intern(named);
    match meter.dimensions()[0] {
        Dimension::Gpu => dimensions.gpu = named,
        _ => dimensions.model = named,
    }
    if !region.is_empty() {
        dimensions.region = names.intern(region);
    }
    let (party, currency) = (names.intern(party), names.intern("USD"));
    let (hour, period) = (Hour(*hour), Hour(*hour).month());
    let state = match *rated {
        Rated::At(book, position) => State::Charged(PriceId { book: book as u32, position: position as u32 }),
        Rated::Unrated => State::Unrated,
        Rated::NotBilled => State::NotBilled,
        Rated::Waived => State::Waived,
    };
    Charge {
        key: ChargeKey { side: *side, party, currency, meter: *meter, dimensions, hour, period },
        state,
        quantity: Quantity::from_nano(*quantity).unwrap(),
    }
}

fn encoded(id: &str, act: &Act) -> Vec<u8> {
    to_proto(id, act).encode_to_vec()
}

/// Does the steps on both; gives the books and the model.
fn play(steps: &[Step]) -> (Books, Model) {
    let (mut books, mut model) = (Books::new(), Model::default());
    for step in steps {
        let id = format!("event-{}", books.controls.len());
        match step {
            Step::Settle(rows) => {
                books.rows.extend_from_slice(rows);
                let watermarks = Watermarks::from_vec(vec![books.rows.len() as u64]);
                assert_eq!(books.handle(&encoded(&id, &Act::Settle(watermarks))), Answer::Applied);
                model.settle(rows);
            }
            Step::Book(spec) => {
                assert_eq!(books.handle(&encoded(&id, &Act::PriceBook(spec.book()))), Answer::Applied);
                model.books.push(spec.clone());
                model.rate_all();
            }
            Step::Waive { meter, second_month, named } => {
                let month = Hour(first_hour() + if *second_month { 4 } else { 0 }).month();
                let dimension = Meter::ALL[*meter].dimensions()[0];
                let kind = u8::from(dimension == Dimension::Gpu);
                let matches = named.map(|named| (dimension, named_of(kind, named))).into_iter().collect();
                let waive = Waive { meter: Meter::ALL[*meter], period: month, matches, reason: "a test".to_owned() };
                assert_eq!(books.handle(&encoded(&id, &Act::Waive(waive))), Answer::Applied);
                model.waive(*meter, month, *named);
            }
            Step::Repeat(which) => {
                if let Some((value, first)) = pick(&books, *which) {
                    let expected = if first == Answer::Conflict { Answer::Conflict } else { Answer::Duplicate };
                    assert_eq!(books.handle(&value), expected);
                }
            }
            Step::Conflict(which) => {
                if let Some((value, _)) = pick(&books, *which) {
                    let id = stempoint_schemas::proto::ControlEvent::decode(&value[..]).unwrap().id;
                    let other = Waive {
                        meter: Meter::Requests,
                        period: Hour(0).month(),
                        matches: Vec::new(),
                        reason: format!("other content {}", books.controls.len()),
                    };
                    assert_eq!(books.handle(&encoded(&id, &Act::Waive(other))), Answer::Conflict);
                }
            }
            Step::Restart => books.restart(),
        }
    }
    (books, model)
}

/// An event that was sent before, and its answer.
fn pick(books: &Books, which: usize) -> Option<(Vec<u8>, Answer)> {
    let count = books.controls.len();
    (count > 0).then(|| books.controls[which % count].clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_books_agree_with_the_slow_model(steps in prop::collection::vec(step(), 1..14)) {
        let (books, model) = play(&steps);
        prop_assert_eq!(books.net(), model.charges());
        prop_assert_eq!(books.accounts(), model.balances());
    }

    /// Where settlements are cut changes the rows, never the balances.
    #[test]
    fn cuts_do_not_matter(rows in prop::collection::vec(row(), 1..30), cuts in prop::collection::vec(0..30_usize, 0..6), spec in book()) {
        let whole = [Step::Book(spec.clone()), Step::Settle(rows.clone())];
        let mut parts = vec![Step::Book(spec)];
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(rows.len())).chain([0, rows.len()]).collect();
        cuts.sort_unstable();
        parts.extend(cuts.windows(2).map(|cut| Step::Settle(rows[cut[0]..cut[1]].to_vec())));
        let ((whole, _), (parts, _)) = (play(&whole), play(&parts));
        prop_assert_eq!(whole.net(), parts.net());
        prop_assert_eq!(whole.accounts(), parts.accounts());
    }
}

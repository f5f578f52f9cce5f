//! What happens in a test: usage rows, price books, and the steps of which a
//! scenario consists, in a small world where numbers stand for names.

use proptest::prelude::*;
use prost::Message;
use stempoint_core::book::{BookPrice, PriceBook};
use stempoint_core::charge::Side;
use stempoint_core::charge_model::{ChargeModel, Charging, Tier};
use stempoint_core::control::{Act, to_proto};
use stempoint_core::share::{BookShare, Earner};
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::{Amount, Price, Quantity, Share};
use stempoint_schemas::time::{Hour, Instant, Month};

use crate::agreed::CommitSpec;
use crate::corrected::{CorrectSpec, correct_step};
use crate::currencies::{CurrencySpec, currency_step, of_holder};
use crate::disputed::{DisputeSpec, ResolveSpec, dispute_step, resolve_step};
use crate::granted::GrantSpec;
use crate::watched::BudgetSpec;

/// Two hours before a month ends, so that scenarios cross into the next.
pub fn first_hour() -> i32 {
    Instant::parse("2026-01-31T22:00:00Z").unwrap().hour().0
}

/// One usage row; numbers stand for names.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub customer: u8,
    pub provider: u8,
    pub kind: u8,
    pub model: u8,
    pub region: Option<u8>,
    pub hour: i32,
    pub amounts: [u32; 3],
}

/// A price: whom it is for, and which model or GPU it names, if any.
#[derive(Debug, Clone)]
pub struct PriceSpec {
    pub meter: usize,
    pub customer: Option<u8>,
    pub named: Option<u8>,
    /// In 10^-6.
    pub amount: u32,
    pub per: u32,
}

#[derive(Debug, Clone)]
pub struct BookSpec {
    pub euro: bool,
    pub hour: i32,
    pub prices: Vec<PriceSpec>,
    /// How customers pay at each of them.
    pub models: Vec<ModelSpec>,
    /// Meter and per cent.
    pub shares: Vec<(usize, u8)>,
    pub owners: Vec<OwnerSpec>,
}

/// What a model owner or an asset pool earns of what one provider serves, or
/// all, of one model or GPU or all.
#[derive(Debug, Clone)]
pub struct OwnerSpec {
    pub meter: usize,
    pub pool: bool,
    pub owner: u8,
    pub named: Option<u8>,
    pub provider: Option<u8>,
    pub per_cent: u8,
}

/// A charge model: what it is, its tiers (units up to which it goes, amount in
/// 10^-6, flat in 10^-6), per cent, and a minimum in 10^-6.
#[derive(Debug, Clone)]
pub enum ModelSpec {
    PerUnit(u32),
    Graduated(Vec<(u32, u32, u32)>, u32),
    Volume(Vec<(u32, u32, u32)>, u32),
    Package(u32),
    Percentage(u32, u32),
}

#[derive(Debug, Clone)]
pub enum Step {
    Settle(Vec<Row>),
    Book(BookSpec),
    Waive {
        meter: usize,
        second_month: bool,
        named: Option<u8>,
    },
    /// Settles no more than is settled.
    SettleAgain(usize),
    /// Begins to close one of three months, with more usage where that can be.
    Closing(i32, Vec<Row>),
    /// Closes one of three months for good, if it can be.
    Closed(i32),
    /// Closes the next month for good, and gives up what it waits for.
    CloseNext,
    /// Terms of one customer or of the others: entity and per cent of tax.
    Terms(Option<u8>, u8, u8),
    /// A customer pays so many cents, perhaps naming an invoice.
    Payment(u8, u32, Option<usize>),
    /// A customer gets so many cents back, or all, perhaps of an invoice.
    Credit(u8, Option<u32>, Option<usize>),
    /// So many cents of an invoice, or all that is left, are given up, or put back.
    WriteOff {
        which: usize,
        cents: Option<u32>,
        is_put_back: bool,
    },
    /// So many cents are changed for so many of the other currency, at a rate in 10^-4 or at that.
    Exchange {
        to_euro: bool,
        given: u32,
        got: u32,
        rate: Option<u32>,
    },
    /// A customer's commitment is set from a month on, or ended.
    Commit(u8, i32, Option<CommitSpec>),
    /// A customer gets a grant.
    Grant(GrantSpec),
    /// A customer's budget of that name is set or ended.
    Budget(u8, u8, Option<BudgetSpec>),
    /// A row is taken back or changed.
    Correct(CorrectSpec),
    /// A customer, or all others, are rated in another currency.
    Currency(CurrencySpec),
    /// Somebody does not agree to a line.
    Dispute(DisputeSpec),
    /// A dispute is resolved.
    Resolve(ResolveSpec),
    /// An event without an act, which is refused.
    Refused,
    Repeat(usize),
    Conflict(usize),
    /// From a checkpoint, or from all charges.
    Restart {
        from_checkpoint: bool,
    },
}

pub fn encoded(id: &str, act: &Act) -> Vec<u8> {
    to_proto(id, act).encode_to_vec()
}

/// The month of the first hours, or a later one.
pub fn month(number: i32) -> Month {
    Month::from_index(Hour(first_hour()).month().index() + number)
}

pub fn row() -> impl Strategy<Value = Row> {
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

fn model() -> impl Strategy<Value = ModelSpec> {
    let minimum = || prop_oneof![3 => Just(0), 1 => 0..3_000_000_u32];
    let tier = (1..3_000_000_u32, 0..5_000_000_u32, prop_oneof![Just(0), 0..1_000_000_u32]);
    let tiers = || {
        prop::collection::vec(tier.clone(), 1..4).prop_map(|mut tiers| {
            tiers.sort_by_key(|tier| tier.0);
            tiers.dedup_by_key(|tier| tier.0);
            tiers
        })
    };
    prop_oneof![
        4 => Just(ModelSpec::PerUnit(0)),
        1 => minimum().prop_map(ModelSpec::PerUnit),
        2 => (tiers(), minimum()).prop_map(|(tiers, minimum)| ModelSpec::Graduated(tiers, minimum)),
        2 => (tiers(), minimum()).prop_map(|(tiers, minimum)| ModelSpec::Volume(tiers, minimum)),
        1 => minimum().prop_map(ModelSpec::Package),
        1 => (0..30_000_u32, minimum()).prop_map(|(percent, minimum)| ModelSpec::Percentage(percent, minimum)),
    ]
}

pub fn models(count: usize) -> impl Strategy<Value = Vec<ModelSpec>> {
    prop::collection::vec(model(), count)
}

pub fn book() -> impl Strategy<Value = BookSpec> {
    let customer = prop::option::weighted(0.3, 0..2_u8);
    let price = (0..6_usize, customer, prop::option::of(0..2_u8), 0..5_000_000_u32, 1..4_000_000_u32)
        .prop_map(|(meter, customer, named, amount, per)| PriceSpec { meter, customer, named, amount, per });
    let share = (0..6_usize, 0..=100_u8);
    let shares = (prop::collection::vec(share, 0..4), prop::collection::vec(owner(), 0..4));
    let parts = (prop::collection::vec(price, 1..6), shares, models(6));
    (prop::bool::weighted(0.15), -1..6, parts).prop_map(|(euro, hour, (mut prices, shares, models))| {
        let (mut shares, mut owners) = shares;
        // Two prices that could tie, or two shares of a meter, would be refused.
        prices.sort_by_key(|price| (price.meter, price.customer, price.named));
        prices.dedup_by_key(|price| (price.meter, price.customer, price.named));
        shares.sort_unstable_by_key(|share| share.0);
        shares.dedup_by_key(|share| share.0);
        // More than all of a meter would be refused.
        let part = |meter| shares.iter().find(|share| share.0 == meter).map_or(0, |share| share.1);
        let mut given = [0_u8, 1, 2, 3, 4, 5].map(|meter| part(usize::from(meter)));
        owners.retain(|owner| {
            let sum = &mut given[owner.meter];
            let fits = *sum + owner.per_cent <= 100;
            *sum += if fits { owner.per_cent } else { 0 };
            fits
        });
        BookSpec { euro, hour, prices, models, shares, owners }
    })
}

fn owner() -> impl Strategy<Value = OwnerSpec> {
    let of = (prop::option::of(0..2_u8), prop::option::of(0..3_u8));
    (0..6_usize, any::<bool>(), 0..2_u8, of, 1..40_u8).prop_map(|(meter, pool, owner, (named, provider), per_cent)| {
        OwnerSpec { meter, pool, owner, named, provider, per_cent }
    })
}

pub fn waive_step() -> impl Strategy<Value = Step> {
    (0..6_usize, any::<bool>(), prop::option::of(0..2_u8)).prop_map(|(meter, second_month, named)| Step::Waive {
        meter,
        second_month,
        named,
    })
}

pub fn closing_step() -> impl Strategy<Value = Step> {
    (0..3, prop::collection::vec(row(), 0..4)).prop_map(|(month, rows)| Step::Closing(month, rows))
}

fn terms_step() -> impl Strategy<Value = Step> {
    (prop::option::of(0..3_u8), 0..2_u8, 0..=25_u8)
        .prop_map(|(customer, entity, per_cent)| Step::Terms(customer, entity, per_cent))
}

fn write_off_step() -> impl Strategy<Value = Step> {
    (any::<usize>(), prop::option::weighted(0.6, 0..80_u32), any::<bool>())
        .prop_map(|(which, cents, is_put_back)| Step::WriteOff { which, cents, is_put_back })
}

fn exchange_step() -> impl Strategy<Value = Step> {
    (any::<bool>(), 0..500_u32, 0..500_u32, prop::option::of(0..20_000_u32))
        .prop_map(|(to_euro, given, got, rate)| Step::Exchange { to_euro, given, got, rate })
}

pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(row(), 0..12).prop_map(Step::Settle),
        3 => book().prop_map(Step::Book),
        2 => waive_step(),
        1 => any::<usize>().prop_map(Step::SettleAgain),
        2 => closing_step(),
        1 => (0..3).prop_map(Step::Closed),
        2 => Just(Step::CloseNext),
        1 => terms_step(),
        3 => (0..3_u8, 0..400_u32, prop::option::of(any::<usize>()))
            .prop_map(|(customer, cents, named)| Step::Payment(customer, cents, named)),
        2 => (0..3_u8, prop::option::of(0..200_u32), prop::option::of(any::<usize>()))
            .prop_map(|(customer, cents, named)| Step::Credit(customer, cents, named)),
        1 => write_off_step(),
        1 => currency_step(),
        1 => dispute_step(),
        1 => resolve_step(),
        1 => exchange_step(),
        2 => budget_step(),
        1 => commit_step(),
        1 => grant_step(),
        2 => correct_step(),
        1 => Just(Step::Refused),
        1 => any::<usize>().prop_map(Step::Repeat),
        1 => any::<usize>().prop_map(Step::Conflict),
        1 => any::<bool>().prop_map(|from_checkpoint| Step::Restart { from_checkpoint }),
    ]
}

fn budget_spec() -> impl Strategy<Value = BudgetSpec> {
    // From a cent or a request to more than a scenario comes to.
    let money = (1..100_i128, 9..14_u32).prop_map(|(digits, zeros)| (None, digits * 10_i128.pow(zeros)));
    let units = (0..6_usize, 1..100_i128, 7..16_u32)
        .prop_map(|(meter, digits, zeros)| (Some(meter), digits * 10_i128.pow(zeros)));
    // A few requests: limits that are met exactly, and set again as they are.
    let requests = (1..4_i128).prop_map(|count| (Some(3), count * 1_000_000_000));
    let thresholds = prop::collection::btree_set(prop_oneof![Just(1), Just(50), Just(100), 1..=1000_u32], 1..4);
    (-1..2, prop_oneof![money, units, requests], thresholds).prop_map(|(from, (meter, limit), thresholds)| BudgetSpec {
        from,
        meter,
        limit,
        thresholds: thresholds.into_iter().collect(),
    })
}

fn budget_step() -> impl Strategy<Value = Step> {
    (0..2_u8, 0..2_u8, prop::option::weighted(0.85, budget_spec()))
        .prop_map(|(customer, name, spec)| Step::Budget(customer, name, spec))
}

/// Steps of which most are price books, while months close.
pub fn priced_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(row(), 1..5).prop_map(Step::Settle),
        5 => book().prop_map(Step::Book),
        2 => correct_step(),
        2 => waive_step(),
        1 => closing_step(),
        1 => (0..3).prop_map(Step::Closed),
        1 => Just(Step::CloseNext),
        1 => any::<bool>().prop_map(|from_checkpoint| Step::Restart { from_checkpoint }),
    ]
}

/// Steps of which most are about the budgets of two customers.
pub fn watched_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(row(), 1..4).prop_map(Step::Settle),
        4 => budget_step(),
        2 => book().prop_map(Step::Book),
        1 => Just(Step::CloseNext),
        1 => closing_step(),
        2 => any::<bool>().prop_map(|from_checkpoint| Step::Restart { from_checkpoint }),
    ]
}

fn commit_step() -> impl Strategy<Value = Step> {
    // From a cent to more than a scenario comes to.
    let cents = (1..100_u32, 0..6_u32).prop_map(|(digits, zeros)| digits * 10_u32.pow(zeros));
    let spec = prop::option::weighted(0.8, (cents, 1..4_u32));
    (0..2_u8, -2..5, spec).prop_map(|(customer, from, spec)| Step::Commit(customer, from, spec))
}

fn grant_step() -> impl Strategy<Value = Step> {
    let months = (-1..4, prop::option::weighted(0.7, -1..6));
    (0..2_u8, 0..500_u32, any::<bool>(), 0..3_u32, months).prop_map(
        |(customer, cents, is_prepaid, priority, months)| {
            Step::Grant(GrantSpec { customer, cents, is_prepaid, priority, from: months.0, until: months.1 })
        },
    )
}

/// Steps of which most are about the commitments of two customers.
pub fn agreed_step() -> impl Strategy<Value = Step> {
    let rows = || prop::collection::vec(row(), 1..4);
    prop_oneof![
        3 => rows().prop_map(Step::Settle),
        5 => commit_step(),
        4 => Just(Step::CloseNext),
        1 => closing_step(),
        1 => book().prop_map(Step::Book),
        1 => correct_step(),
        1 => terms_step(),
        1 => (0..2_u8, 1..400_u32, prop::option::weighted(0.7, any::<usize>()))
            .prop_map(|(customer, cents, named)| Step::Payment(customer, cents, named)),
        2 => any::<bool>().prop_map(|from_checkpoint| Step::Restart { from_checkpoint }),
    ]
}

/// Steps of which most are about what one of two customers owes.
pub fn owed_step() -> impl Strategy<Value = Step> {
    let rows = prop::collection::vec(row(), 1..4).prop_map(|mut rows| {
        rows.iter_mut().for_each(|row| row.customer %= 2);
        Step::Settle(rows)
    });
    let invoice = || prop::option::weighted(0.7, any::<usize>());
    prop_oneof![
        3 => rows,
        3 => Just(Step::CloseNext),
        1 => terms_step(),
        4 => (0..2_u8, 1..400_u32, invoice())
            .prop_map(|(customer, cents, named)| Step::Payment(customer, cents, named)),
        3 => (0..2_u8, prop::option::weighted(0.8, 1..60_u32), invoice())
            .prop_map(|(customer, cents, named)| Step::Credit(customer, cents, named)),
        3 => write_off_step(),
        1 => exchange_step(),
        4 => grant_step(),
        1 => book().prop_map(Step::Book),
        2 => any::<bool>().prop_map(|from_checkpoint| Step::Restart { from_checkpoint }),
    ]
}

/// A charge's or a rounding key's place, in texts: side, party, meter, named
/// dimension, region.
pub type Place = (Side, String, Meter, String, String);

pub fn named_of(kind: u8, model: u8) -> String {
    format!("{}-{model}", if kind == 0 { "model" } else { "gpu" })
}

impl Row {
    pub fn place(&self, side: Side, meter: Meter) -> Place {
        let party = match side {
            Side::Customer => format!("customer-{}", self.customer),
            Side::Provider => format!("provider-{}", self.provider),
        };
        let region = self.region.map(|region| format!("region-{region}")).unwrap_or_default();
        (side, party, meter, named_of(self.kind, self.model), region)
    }

    /// In 10^-9 of each meter's unit.
    pub fn quantities(&self) -> [i128; 6] {
        let [one, two, three] = self.amounts.map(i128::from);
        let unit = 1_000_000_000;
        if self.kind == 0 {
            [one * unit, two * unit, three * unit, unit, 0, 0]
        } else {
            [0, 0, 0, 0, one * 1_000_003, two * unit]
        }
    }

    pub fn hour(&self) -> Hour {
        Hour(first_hour() + self.hour)
    }
}

fn micro(value: u32) -> Amount {
    Amount::from_pico(i128::from(value) * 1_000_000).unwrap()
}

impl ModelSpec {
    fn charging(&self) -> Charging {
        let tiers = |tiers: &[(u32, u32, u32)]| {
            let last = tiers.len() - 1;
            let tier = |(index, &(up_to, amount, flat)): (usize, &(u32, u32, u32))| Tier {
                up_to: (index < last).then(|| Quantity::from_nano(i128::from(up_to) * 1_000_000_000).unwrap()),
                amount: micro(amount),
                flat: micro(flat),
            };
            tiers.iter().enumerate().map(tier).collect()
        };
        let (model, minimum) = match self {
            ModelSpec::PerUnit(minimum) => (ChargeModel::PerUnit, minimum),
            ModelSpec::Graduated(of, minimum) => (ChargeModel::Graduated(tiers(of)), minimum),
            ModelSpec::Volume(of, minimum) => (ChargeModel::Volume(tiers(of)), minimum),
            ModelSpec::Package(minimum) => (ChargeModel::Package, minimum),
            ModelSpec::Percentage(percent, minimum) => (ChargeModel::Percentage(*percent), minimum),
        };
        Charging { model, minimum: micro(*minimum) }
    }
}

impl BookSpec {
    pub fn book(&self) -> PriceBook {
        let prices = self.prices.iter().zip(&self.models).map(|(price, model)| {
            let meter = Meter::ALL[price.meter];
            let dimension = meter.dimensions()[0];
            let kind = u8::from(dimension == Dimension::Gpu);
            BookPrice {
                meter,
                customer: price.customer.map(|customer| format!("customer-{customer}")),
                matches: price.named.map(|named| (dimension, named_of(kind, named))).into_iter().collect(),
                price: Price::new(
                    Amount::from_pico(i128::from(price.amount) * 1_000_000).unwrap(),
                    Quantity::from_nano(i128::from(price.per) * 1_000_000_000).unwrap(),
                )
                .unwrap(),
                charging: model.charging(),
            }
        });
        let share = |per_cent: u8| Share::parse(&format!("{}.{:02}", per_cent / 100, per_cent % 100)).unwrap().unwrap();
        PriceBook {
            currency: if self.euro { "EUR" } else { "USD" }.to_owned(),
            effective_from: Hour(first_hour() + self.hour),
            prices: prices.collect(),
            shares: self
                .shares
                .iter()
                .map(|&(meter, per_cent)| BookShare::of_provider(Meter::ALL[meter], share(per_cent)))
                .chain(self.owners.iter().map(|owner| owner.share(share(owner.per_cent))))
                .collect(),
        }
    }
}

impl OwnerSpec {
    pub fn account(&self) -> String {
        format!("{}/owner-{}/payable", if self.pool { "asset_pool" } else { "model_owner" }, self.owner)
    }

    fn share(&self, part: Share) -> BookShare {
        let meter = Meter::ALL[self.meter];
        let dimension = meter.dimensions()[0];
        let named = |named| (dimension, named_of(u8::from(dimension == Dimension::Gpu), named));
        let name = format!("owner-{}", self.owner);
        BookShare {
            meter,
            earner: if self.pool { Earner::AssetPool(name) } else { Earner::ModelOwner(name) },
            matches: self.named.map(named).into_iter().collect(),
            providers: self.provider.map(|provider| format!("provider-{provider}")).into_iter().collect(),
            part,
        }
    }

    /// Whether what stands at a place on the providers' side is of it.
    pub fn is_of(&self, (_, provider, meter, named, _): &Place) -> bool {
        let kind = u8::from(meter.dimensions()[0] == Dimension::Gpu);
        *meter == Meter::ALL[self.meter]
            && self.named.is_none_or(|wanted| *named == named_of(kind, wanted))
            && self.provider.is_none_or(|wanted| of_holder(provider).0 == format!("provider-{wanted}"))
    }
}

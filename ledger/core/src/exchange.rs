//! One asset changed for another.
//!
//! Invariants: no entry mixes assets (3): what was given and what was got have
//! an entry each, linked by their document, with `treasury/exchange` on the
//! other side at the rate that the event names; what was got beyond that rate
//! or short of it is on `platform/exchange`, in the asset that was got.

use stempoint_schemas::event::is_plain_text;
use stempoint_schemas::money::{Amount, Overflow, Price, Quantity, Share};

use crate::names::Name;
use crate::posting::{Account, Entry};
use crate::receivables::{Postings, check_amount, check_received, entry};

/// An amount of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// The asset's code, for example `EUR`.
    pub asset: String,
    /// How much.
    pub amount: Amount,
}

/// An exchange, as somebody says that it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeOrder {
    /// What the bank gave away.
    pub given: Money,
    /// What it got.
    pub got: Money,
    /// What one unit of what was given is worth, in the asset that was got;
    /// `None` where that is what was got for it.
    pub rate: Option<Amount>,
    /// When it was done, microseconds.
    pub received_us: i64,
    /// What the bank says of it.
    pub reference: String,
}

impl ExchangeOrder {
    /// Checks an order in itself; the error says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        for money in [&self.given, &self.got] {
            check_amount(money.amount, &money.asset)?;
        }
        if self.given.asset == self.got.asset {
            return Err(format!("{} for {} is no exchange", self.given.asset, self.got.asset));
        }
        if self.rate.is_some_and(|rate| rate <= Amount::ZERO) {
            return Err("the rate must be more than 0".to_owned());
        }
        if !self.reference.is_empty() && !is_plain_text(self.reference.as_bytes()) {
            return Err("reference must be at most 256 bytes of printable text".to_owned());
        }
        match self.gain() {
            Ok(_) => Ok(()),
            Err(Overflow) => Err("what was given does not fit 38 decimal digits at that rate".to_owned()),
        }
    }

    /// Checks it against the moment of its record.
    pub fn check_time(&self, recorded_us: i64) -> Result<(), String> {
        check_received(self.received_us, recorded_us, "exchange")
    }

    /// What was given, in the asset that was got: rounded half away from zero
    /// to 10^-12 of its unit.
    fn value(&self) -> Result<Amount, Overflow> {
        let Some(rate) = self.rate else { return Ok(self.got.amount) };
        // Money that can be paid has at most nine decimal places.
        let given = Quantity::from_nano(self.given.amount.pico() / 1000)?;
        let one = Quantity::from_nano(1_000_000_000)?;
        Price::new(rate, one).map_or(Ok(self.got.amount), |price| price.of(given, Share::WHOLE))
    }

    /// What was got beyond the rate; negative for a loss.
    fn gain(&self) -> Result<Amount, Overflow> {
        self.got.amount.minus(self.value()?)
    }

    /// The entries of it: one for each asset.
    ///
    /// # Errors
    /// [`Overflow`] where an amount leaves the range of money.
    pub fn entries(&self, offset: u64, effective_us: i64, assets: (Name, Name)) -> Result<Vec<Entry>, Overflow> {
        let document = format!("exchange-{offset}");
        let (mut given, mut got) = (Postings::new(), Postings::new());
        given.add(Account::TreasuryBank, self.given.amount.negated())?;
        given.add(Account::TreasuryExchange, self.given.amount)?;
        got.add(Account::TreasuryBank, self.got.amount)?;
        got.add(Account::TreasuryExchange, self.value()?.negated())?;
        got.add(Account::PlatformExchange, self.gain()?.negated())?;
        let given = entry(document.clone(), assets.0, effective_us, given);
        Ok(vec![given, entry(document, assets.1, effective_us, got)])
    }

    /// For people.
    ///
    /// # Errors
    /// [`Overflow`] where an amount leaves the range of money.
    pub fn in_words(&self) -> Result<String, Overflow> {
        let ExchangeOrder { given, got, .. } = self;
        let gain = self.gain()?;
        let result = match gain.pico().signum() {
            0 => String::new(),
            1 => format!(", a gain of {gain} {}", got.asset),
            _ => format!(", a loss of {} {}", gain.negated(), got.asset),
        };
        Ok(format!("{} {} was changed for {} {}{result}", given.amount, given.asset, got.amount, got.asset))
    }
}

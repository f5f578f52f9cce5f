//! The file format of price books (TOML).
//!
//! Invariant: an error names the line, and a file that is read is a book
//! that can be applied.

mod share;

use std::collections::BTreeMap;

use serde::Deserialize;
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::{Amount, Price, Quantity};
use stempoint_schemas::time::Instant;
use thiserror::Error;
use toml::Spanned;

use crate::book::{self, BookError, BookPrice, PriceBook};
use crate::charge_model::{ChargeModel, Charging, Tier};
use crate::control::percent;
use share::FileShare;

/// Why a file is not a price book.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {problem}")]
pub struct PriceFileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    currency: Spanned<String>,
    effective_from: Spanned<String>,
    #[serde(default)]
    price: Vec<Spanned<FilePrice>>,
    #[serde(default)]
    share: Vec<Spanned<FileShare>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePrice {
    meter: Spanned<String>,
    #[serde(default, rename = "match")]
    matches: BTreeMap<Spanned<String>, Spanned<String>>,
    per: Spanned<String>,
    amount: Spanned<String>,
    charge_model: Option<Spanned<String>>,
    #[serde(default)]
    tiers: Vec<Spanned<FileTier>>,
    percent: Option<Spanned<String>>,
    minimum: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTier {
    up_to: Option<Spanned<String>>,
    amount: Spanned<String>,
    flat: Option<Spanned<String>>,
}

/// Reads a price book from the content of a file.
pub fn read(content: &(impl AsRef<[u8]> + ?Sized)) -> Result<PriceBook, PriceFileError> {
    let bytes = content.as_ref();
    let text = std::str::from_utf8(bytes).map_err(|error| PriceFileError {
        line: line_at(bytes, error.valid_up_to()),
        problem: "the file is not UTF-8 text".to_owned(),
    })?;
    let lines = Lines(text);
    let file: File = toml::from_str(text).map_err(|error| PriceFileError {
        line: lines.at(error.span().map_or(0, |span| span.start)),
        problem: error.message().to_owned(),
    })?;
    let from = Instant::parse(file.effective_from.get_ref())
        .map_err(|error| lines.error(&file.effective_from, format!("effective_from is wrong: {error}")))?;
    let effective_from =
        book::whole_hour(from).map_err(|error| lines.error(&file.effective_from, error.to_string()))?;
    let prices = file.price.iter().enumerate().map(|(i, p)| lines.price(i, p)).collect::<Result<_, _>>()?;
    let shares = file.share.iter().map(|share| lines.share(share)).collect::<Result<_, _>>()?;
    let book = PriceBook { currency: file.currency.get_ref().clone(), effective_from, prices, shares };
    book.check().map_err(|error| {
        let line = match &error {
            BookError::Currency(_) => lines.of(&file.currency),
            BookError::NotAnHour(_) => lines.of(&file.effective_from),
            BookError::Dimension { price, .. } => lines.of(&file.price[price - 1]),
            BookError::TooHigh { price, .. } => lines.of(&file.price[price - 1].get_ref().amount),
            BookError::Charging { price, .. } => {
                let price = &file.price[price - 1];
                price.get_ref().charge_model.as_ref().map_or_else(|| lines.of(price), |model| lines.of(model))
            }
            BookError::Tie { second, .. } => lines.of(&file.price[second - 1]),
            BookError::Share { share, .. } => lines.of(&file.share[share - 1]),
            BookError::Empty => 1,
        };
        let problem = match &error {
            BookError::Tie { first, meter, example, .. } => format!(
                "this price of {meter} and the one on line {} could both match {example}, neither being more specific; add a price that names both dimensions or drop one",
                lines.of(&file.price[first - 1]),
            ),
            _ => error.to_string(),
        };
        PriceFileError { line, problem }
    })?;
    Ok(book)
}

/// Turns places in the text into lines.
struct Lines<'a>(&'a str);

fn line_at(bytes: &[u8], at: usize) -> usize {
    bytes.iter().take(at).filter(|&&byte| byte == b'\n').count() + 1
}

impl Lines<'_> {
    fn at(&self, byte: usize) -> usize {
        line_at(self.0.as_bytes(), byte)
    }

    fn of<T>(&self, value: &Spanned<T>) -> usize {
        self.at(value.span().start)
    }

    fn error<T>(&self, value: &Spanned<T>, problem: impl Into<String>) -> PriceFileError {
        PriceFileError { line: self.of(value), problem: problem.into() }
    }

    fn meter(&self, name: &Spanned<String>) -> Result<Meter, PriceFileError> {
        Meter::from_name(name.get_ref()).ok_or_else(|| {
            let known = Meter::ALL.map(Meter::name).join(", ");
            self.error(name, format!("meter {:?} is not known; the meters are {known}", name.get_ref()))
        })
    }

    fn plain(&self, what: &str, text: &Spanned<String>) -> Result<String, PriceFileError> {
        if stempoint_schemas::event::is_plain_text(text.get_ref().as_bytes()) {
            return Ok(text.get_ref().clone());
        }
        Err(self.error(text, format!("{what} must be 1 to 256 printable bytes")))
    }

    fn price(&self, index: usize, price: &Spanned<FilePrice>) -> Result<BookPrice, PriceFileError> {
        let price = price.get_ref();
        let meter = self.meter(&price.meter)?;
        let (mut matches, mut customer) = (Vec::new(), None);
        for (name, value) in &price.matches {
            if name.get_ref() == "customer" {
                customer = Some(self.plain(name.get_ref(), value)?);
                continue;
            }
            let dimension =
                Dimension::from_name(name.get_ref()).filter(|d| meter.dimensions().contains(d)).ok_or_else(|| {
                    self.error(name, book::no_such_dimension(index + 1, meter, name.get_ref()).to_string())
                })?;
            matches.push((dimension, self.plain(name.get_ref(), value)?));
        }
        matches.sort();
        let per =
            Quantity::parse(price.per.get_ref()).map_err(|e| self.error(&price.per, format!("per is wrong: {e}")))?;
        let amount = self.amount(&price.amount, "amount")?;
        if per <= Quantity::ZERO {
            return Err(self.error(&price.per, "per must be more than 0"));
        }
        let linear = Price::new(amount, per).ok_or_else(|| self.error(&price.amount, "amount must not be negative"))?;
        Ok(BookPrice { meter, customer, matches, price: linear, charging: self.charging(price)? })
    }

    fn amount(&self, text: &Spanned<String>, what: &str) -> Result<Amount, PriceFileError> {
        Amount::parse(text.get_ref()).map_err(|error| self.error(text, format!("{what} is wrong: {error}")))
    }

    fn charging(&self, price: &FilePrice) -> Result<Charging, PriceFileError> {
        let tiers = || price.tiers.iter().map(|tier| self.tier(tier.get_ref())).collect::<Result<Vec<Tier>, _>>();
        let name = price.charge_model.as_ref().map_or("per_unit", |name| name.get_ref().as_str());
        let model = match (name, &price.percent) {
            ("per_unit", _) => ChargeModel::PerUnit,
            ("graduated", _) => ChargeModel::Graduated(tiers()?),
            ("volume", _) => ChargeModel::Volume(tiers()?),
            ("package", _) => ChargeModel::Package,
            ("percentage", Some(text)) => {
                ChargeModel::Percentage(percent(text.get_ref()).map_err(|problem| self.error(text, problem))?)
            }
            ("percentage", None) => {
                return Err(self.error(&price.amount, "a percentage price needs percent, such as \"80\""));
            }
            _ => {
                let problem =
                    format!("charge_model {name:?} is not known; there are {}", ChargeModel::NAMES.join(", "));
                return Err(self.error(price.charge_model.as_ref().unwrap_or(&price.meter), problem));
            }
        };
        if let (Some(tier), true) = (price.tiers.first(), model.tiers().is_empty()) {
            return Err(self.error(tier, format!("a {name} price has no tiers")));
        }
        if let (Some(text), false) = (&price.percent, matches!(model, ChargeModel::Percentage(_))) {
            return Err(self.error(text, format!("a {name} price has no percent")));
        }
        let minimum = price.minimum.as_ref().map_or(Ok(Amount::ZERO), |minimum| self.amount(minimum, "minimum"))?;
        Ok(Charging { model, minimum })
    }

    fn tier(&self, tier: &FileTier) -> Result<Tier, PriceFileError> {
        let up_to = tier.up_to.as_ref().map(|text| {
            Quantity::parse(text.get_ref()).map_err(|error| self.error(text, format!("up_to is wrong: {error}")))
        });
        Ok(Tier {
            up_to: up_to.transpose()?,
            amount: self.amount(&tier.amount, "amount")?,
            flat: tier.flat.as_ref().map_or(Ok(Amount::ZERO), |flat| self.amount(flat, "flat"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::{BookShare, Earner};
    use stempoint_schemas::money::Share;

    const GOOD: &str = r#"currency = "USD"
effective_from = "2023-11-01T00:00:00Z"

[[price]]
meter  = "tokens.input"
match  = { model = "code-1" }
per    = "1000000"
amount = "2.50"

[[price]]
meter  = "gpu.seconds"
match  = { gpu = "T4" }
per    = "3600"
amount = "0.35"

[[share]]
meter    = "gpu.seconds"
provider = "0.80"
"#;

    #[test]
    fn reads_the_fixed_format() {
        let book = read(GOOD).unwrap();
        assert_eq!(book.currency, "USD");
        assert_eq!(book.effective_from.start().to_string(), "2023-11-01T00:00:00Z");
        assert_eq!(book.prices.len(), 2);
        assert_eq!(book.prices[0].matches, [(Dimension::Model, "code-1".to_owned())]);
        assert_eq!(book.prices[1].price.amount().to_string(), "0.35");
        assert_eq!(book.share(Meter::GpuSeconds).to_string(), "0.8");
        assert_eq!(book.share(Meter::Requests), Share::NONE);
    }

    #[test]
    fn errors_name_the_line_and_what_to_do() {
        for (from, to, line, says) in [
            ("\"USD\"", "\"usd\"", 1, "capital letters"),
            ("\"USD\"", "7", 1, "expected a string"),
            ("T00:00:00Z", "T00:30:00Z", 2, "whole hour"),
            ("2023-11-01", "2023-31-01", 2, "effective_from is wrong"),
            ("\"tokens.input\"", "\"tokens.inptu\"", 5, "the meters are tokens.input"),
            ("model =", "gpu =", 6, "has no dimension \"gpu\""),
            ("\"1000000\"", "\"0\"", 7, "more than 0"),
            ("\"2.50\"", "\"-2.50\"", 8, "not be negative"),
            ("\"2.50\"", "\"2,50\"", 8, "not a decimal number"),
            ("\"2.50\"", "2.50", 8, "expected a string"),
            ("\"2.50\"", "\"0.0000000000001\"", 8, "more than 12 decimal places"),
            ("amount = \"0.35\"", "amount = \"0.35\"\nprize = 1", 15, "unknown field"),
            ("\"0.80\"", "\"1.80\"", 18, "between 0 and 1"),
            ("provider = \"0.80\"", "provider = \"0.80", 18, ""),
        ] {
            let error = read(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error.line, line, "{from} -> {to}: {error}");
            assert!(error.problem.contains(says), "{from} -> {to}: {error}");
        }
    }

    const MODELS: &str = r#"currency = "USD"
effective_from = "2023-11-01T00:00:00Z"

[[price]]
meter  = "tokens.input"
per    = "1000000"
amount = "2.50"
charge_model = "graduated"
tiers  = [
    { up_to = "10000000", amount = "2.50" },
    { amount = "2.00", flat = "5" },
]

[[price]]
meter  = "tokens.output"
per    = "1000000"
amount = "10"
charge_model = "percentage"
percent = "87.5"
minimum = "20"
"#;

    #[test]
    fn reads_charge_models() {
        let book = read(MODELS).unwrap();
        let [graduated, percentage] = &book.prices[..] else { panic!("two prices") };
        assert_eq!(graduated.charging.model.tiers().len(), 2);
        assert_eq!(graduated.charging.model.tiers()[1].flat.to_string(), "5");
        assert_eq!(percentage.charging.model, ChargeModel::Percentage(8_750));
        assert_eq!(percentage.charging.minimum.to_string(), "20");
    }

    #[test]
    fn errors_in_charge_models_name_the_line_too() {
        for (from, to, line, says) in [
            ("\"graduated\"", "\"gradual\"", 8, "there are per_unit, graduated"),
            ("\"graduated\"", "\"package\"", 10, "a package price has no tiers"),
            ("up_to = \"10000000\"", "up_to = \"0\"", 8, "tier 1 must end above"),
            ("{ amount = \"2.00\", flat = \"5\" },", "", 8, "tier 1 must end above"),
            ("flat = \"5\"", "flat = \"-5\"", 8, "flat must be from 0"),
            ("flat = \"5\"", "flat = \"five\"", 11, "flat is wrong"),
            ("amount = \"2.00\"", "amount = \"2000000000000\"", 7, "costs more than"),
            ("percent = \"87.5\"", "percent = \"87.555\"", 19, "decimal places"),
            ("percent = \"87.5\"", "percent = \"1000.01\"", 18, "from 0 to 1000"),
            ("percent = \"87.5\"\n", "", 17, "needs percent"),
            ("charge_model = \"percentage\"\n", "", 18, "a per_unit price has no percent"),
        ] {
            let error = read(&MODELS.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error.line, line, "{from} -> {to}: {error}");
            assert!(error.problem.contains(says), "{from} -> {to}: {error}");
        }
    }

    const OWNERS: &str = r#"currency = "USD"
effective_from = "2023-11-01T00:00:00Z"
price = [{ meter = "tokens.output", per = "1", amount = "1" }]

[[share]]
meter       = "tokens.output"
match       = { region = "eu", model = "code-1" }
model_owner = "acme labs"
part        = "0.25"

[[share]]
meter     = "tokens.output"
provider  = "0.65"

[[share]]
meter      = "tokens.output"
providers  = ["node-2", "node-1"]
asset_pool = "berlin-1"
part       = "0.10"
"#;

    #[test]
    fn reads_the_shares_of_owners() {
        let book = read(OWNERS).unwrap();
        let [owner, provider, pool] = &book.shares[..] else { panic!("three shares") };
        assert_eq!(owner.earner, Earner::ModelOwner("acme labs".to_owned()));
        let matches = [(Dimension::Model, "code-1".to_owned()), (Dimension::Region, "eu".to_owned())];
        assert_eq!((&owner.matches[..], owner.part.to_string().as_str()), (&matches[..], "0.25"));
        assert_eq!(provider, &BookShare::of_provider(Meter::TokensOutput, book.share(Meter::TokensOutput)));
        assert_eq!(pool.earner.holder().as_deref(), Some("asset_pool/berlin-1"));
        assert!(pool.providers.iter().eq(["node-1", "node-2"]));
        assert_eq!(book.owner_shares(Meter::TokensOutput).map(|(index, _)| index).collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn errors_in_shares_name_the_line_too() {
        for (from, to, line, says) in [
            ("region =", "gpu =", 7, "tokens.output has no dimension \"gpu\"; it has model, region"),
            ("\"eu\"", "\"\"", 7, "region must be 1 to 256 printable bytes"),
            ("\"acme labs\"", "\"\"", 8, "model_owner must be 1 to 256 printable bytes"),
            ("part        = \"0.25\"", "", 5, "the share of model_owner/acme labs needs part"),
            ("\"0.25\"", "\"1.25\"", 9, "part must be between 0 and 1"),
            ("\"0.25\"", "\"0\"", 5, "share 1: part must be more than 0"),
            ("\"0.25\"", "\"a\"", 9, "part is wrong"),
            (
                "\"0.25\"",
                "\"0.3500000001\"",
                11,
                "come to 1.0000000001 of what it costs; together they may be 1 at most",
            ),
            ("\"0.65\"", "\"0.65\"\npart = \"0.1\"", 14, "are for the shares of model owners and asset pools"),
            ("\"0.65\"", "\"0.65\"\nasset_pool = \"a\"", 11, "names one of provider, model_owner and asset_pool"),
            ("provider  = \"0.65\"", "", 11, "names one of provider, model_owner and asset_pool"),
            ("\"node-2\"", "\"node-1\"", 17, "\"node-1\" stands there twice"),
            ("\"0.10\"", "\"0.1000000001\"", 15, "share 3: the shares of tokens.output that could meet"),
        ] {
            let error = read(&OWNERS.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error.line, line, "{from} -> {to}: {error}");
            assert!(error.problem.contains(says), "{from} -> {to}: {error}");
        }
    }

    #[test]
    fn shares_that_cannot_meet_may_be_more_than_all_together() {
        for (from, to) in [
            ("asset_pool = \"berlin-1\"", "match = { model = \"code-2\" }\nasset_pool = \"berlin-1\""),
            ("model_owner = \"acme labs\"", "providers = [\"node-3\"]\nmodel_owner = \"acme labs\""),
        ] {
            let more = OWNERS.replace("\"0.10\"", "\"0.35\"");
            assert!(read(&more).is_err());
            read(&more.replace(from, to)).unwrap();
        }
    }

    #[test]
    fn a_tie_names_both_lines() {
        let twice = GOOD.replace(
            "meter  = \"gpu.seconds\"\nmatch  = { gpu = \"T4\" }",
            "meter  = \"tokens.input\"\nmatch  = { region = \"eu\" }",
        );
        let error = read(&twice).unwrap_err();
        assert!(error.problem.contains("line 4"), "{error}");
        assert_eq!(error.line, 10);
    }
}

//! The demo's price books, as files that people could have written.
//!
//! Invariant: both have a price for everything that is used while they hold,
//! but for the new model in the first.

use stempoint_schemas::time::Month;

const FIRST: &str = r#"# The whole month. There is no price for requests, so they are not billed.
currency = "USD"
effective_from = "@month-01T00:00:00Z"

[[price]]
meter  = "tokens.input"
match  = { model = "chat-small" }
per    = "1000000"
amount = "0.15"

[[price]]
meter  = "tokens.output"
match  = { model = "chat-small" }
per    = "1000000"
amount = "0.60"

[[price]]
meter  = "tokens.input"
match  = { model = "chat-large" }
per    = "1000000"
amount = "2.50"

[[price]]                         # dearer where power is dear
meter  = "tokens.input"
match  = { model = "chat-large", region = "ap-1" }
per    = "1000000"
amount = "2.75"

[[price]]
meter  = "tokens.output"
match  = { model = "chat-large" }
per    = "1000000"
amount = "10.00"

[[price]]
meter  = "tokens.input"
match  = { model = "code-1" }
per    = "1000000"
amount = "1.20"

[[price]]
meter  = "tokens.output"
match  = { model = "code-1" }
per    = "1000000"
amount = "4.80"

[[price]]
meter  = "tokens.input"
match  = { model = "embed-1" }
per    = "1000000"
amount = "0.02"

[[price]]                         # it writes none
meter  = "tokens.output"
match  = { model = "embed-1" }
per    = "1000000"
amount = "0"

[[price]]
meter  = "tokens.input"
match  = { model = "vision-1" }
per    = "1000000"
amount = "0.90"

[[price]]
meter  = "tokens.output"
match  = { model = "vision-1" }
per    = "1000000"
amount = "3.60"

[[price]]                         # every model
meter  = "tokens.cached_input"
per    = "1000000"
amount = "0.10"

[[price]]
meter  = "gpu.seconds"
match  = { gpu = "H100" }
per    = "3600"
amount = "2.95"

[[price]]
meter  = "gpu.seconds"
match  = { gpu = "L40S" }
per    = "3600"
amount = "0.99"

[[price]]                         # every other class
meter  = "gpu.seconds"
per    = "3600"
amount = "0.35"

[[price]]                         # a kilowatt-hour
meter  = "energy.joules"
per    = "3600000"
amount = "0.18"

[[share]]                         # the rest is the platform's
meter    = "tokens.input"
provider = "0.70"

[[share]]
meter    = "tokens.output"
provider = "0.70"

[[share]]
meter    = "tokens.cached_input"
provider = "0.50"

[[share]]
meter    = "gpu.seconds"
provider = "0.80"

[[share]]                         # passed on whole
meter    = "energy.joules"
provider = "1.00"
"#;

/// What changes on the 16th: text of the first book, and what stands there in
/// the second.
const CHANGES: [(&str, &str); 5] = [
    ("# The whole month.", "# From the 16th on: a price cut, and a new model."),
    ("@month-01T", "@month-16T"),
    ("amount = \"10.00\"", "amount = \"8.00\""),
    ("amount = \"2.95\"", "amount = \"2.49\""),
    (
        "[[price]]                         # every model\n",
        r#"[[price]]
meter  = "tokens.input"
match  = { model = "reason-2" }
per    = "1000000"
amount = "1.10"

[[price]]
meter  = "tokens.output"
match  = { model = "reason-2" }
per    = "1000000"
amount = "4.40"

[[price]]                         # every model
"#,
    ),
];

/// The book from the first of the month on.
pub fn first(month: Month) -> String {
    FIRST.replace("@month", &month.to_string())
}

/// The book from the 16th on.
pub fn second(month: Month) -> String {
    let changed = CHANGES.iter().fold(FIRST.to_owned(), |book, (from, to)| book.replacen(from, to, 1));
    changed.replace("@month", &month.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stempoint_core::price_file;
    use stempoint_schemas::meter::{Dimension, Meter};

    use crate::demo::cast::{GPUS, MODELS, NEW_MODEL, REGIONS};

    fn month() -> Month {
        Month::parse("2026-10").expect("it is a month")
    }

    #[test]
    fn each_change_is_made() {
        for (from, _) in CHANGES {
            assert!(FIRST.contains(from), "{from}");
        }
    }

    #[test]
    fn everything_but_the_new_model_has_a_price() {
        let first = price_file::read(&first(month())).expect("the first book can be applied");
        let second = price_file::read(&second(month())).expect("the second book can be applied");
        assert_eq!(first.effective_from.start().to_string(), "2026-10-01T00:00:00Z");
        assert_eq!(second.effective_from.start().to_string(), "2026-10-16T00:00:00Z");
        for book in [&first, &second] {
            assert!(!book.mentions(Meter::Requests));
            for meter in Meter::ALL.into_iter().filter(|meter| *meter != Meter::Requests) {
                assert!(book.mentions(meter), "{meter}");
                assert!(book.shares.iter().any(|share| share.meter == meter), "{meter}");
            }
        }
        let price = |book: &stempoint_core::book::PriceBook, meter, name: &str, region: &str| {
            let value = |dimension| match dimension {
                Dimension::Model | Dimension::Gpu => Some(name),
                Dimension::Region => Some(region),
            };
            book.find(meter, None, value).map(|index| book.prices[index].price.amount())
        };
        for region in REGIONS {
            for model in MODELS {
                for meter in [Meter::TokensInput, Meter::TokensOutput] {
                    let (old, new) =
                        (price(&first, meter, model.name, region), price(&second, meter, model.name, region));
                    assert_eq!(old.is_some(), model.name != NEW_MODEL, "{meter} {}", model.name);
                    assert!(new.is_some_and(|new| old.is_none_or(|old| new <= old)), "{meter} {}", model.name);
                }
                assert!(price(&first, Meter::TokensCachedInput, model.name, region).is_some());
            }
            for gpu in GPUS {
                assert!(price(&first, Meter::GpuSeconds, gpu.name, region).is_some());
                assert!(price(&second, Meter::EnergyJoules, gpu.name, region).is_some());
            }
        }
        assert!(
            price(&first, Meter::TokensInput, "chat-large", "ap-1")
                > price(&first, Meter::TokensInput, "chat-large", "eu-1")
        );
        assert!(price(&second, Meter::GpuSeconds, "H100", "eu-1") < price(&first, Meter::GpuSeconds, "H100", "eu-1"));
    }
}

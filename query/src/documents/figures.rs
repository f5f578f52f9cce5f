//! Numbers, units and months as people read them.
//!
//! Invariant: grouping digits and adding zeros never changes a value.

use chrono::{DateTime, Datelike, Utc};
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::{Quantity, Share};
use stempoint_schemas::time::Month;

use super::statement::Line;

/// A decimal number with a comma between thousands.
pub(crate) fn grouped(number: &str) -> String {
    let (sign, unsigned) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = unsigned.split_once('.').map_or((unsigned, None), |(w, f)| (w, Some(f)));
    let mut text = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// What a meter counts, in words.
pub(crate) const fn meter_label(meter: Meter) -> &'static str {
    match meter {
        Meter::TokensInput => "Input tokens",
        Meter::TokensOutput => "Output tokens",
        Meter::TokensCachedInput => "Cached input tokens",
        Meter::Requests => "Requests",
        Meter::GpuSeconds => "GPU time",
        Meter::EnergyJoules => "Energy",
    }
}

/// The unit of a quantity.
pub(crate) fn units(meter: Meter, quantity: Quantity) -> String {
    let is_one = Quantity::parse("1").is_ok_and(|one| one == quantity);
    format!("{}{}", meter.unit(), if is_one { "" } else { "s" })
}

/// How many units a price is for: `per 1,000,000 tokens`, `per token`.
pub(crate) fn per(line: &Line) -> String {
    let units = units(line.meter, line.per);
    match line.per.to_string().as_str() {
        "1" => format!("per {units}"),
        per => format!("per {} {units}", grouped(per)),
    }
}

/// A share in percent: `80 %`.
pub(crate) fn percent(share: Share) -> String {
    let places = stempoint_schemas::money::SHARE_SCALE - 2;
    format!("{} %", stempoint_schemas::decimal::format(share.pico(), places))
}

/// `model = code-1, region = eu`.
pub(crate) fn dimensions(dimensions: &[(Dimension, String)]) -> String {
    dimensions.iter().map(|(dimension, value)| format!("{}={value}", dimension.name())).collect::<Vec<_>>().join(" ")
}

/// A month with its first and last day: `1 to 30 November 2023`.
pub(crate) fn days(month: Month) -> String {
    let day = |us: i64| DateTime::<Utc>::from_timestamp_micros(us).unwrap_or_default();
    let last = day(month.end().us() - 1);
    format!("1 to {} {}", last.day(), last.format("%B %Y"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_before_the_point_only() {
        for (number, text) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-1234567.0001", "-1,234,567.0001"),
            ("100000.5", "100,000.5"),
            ("-100", "-100"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn words_for_figures() {
        assert_eq!(days(Month::parse("2024-02").expect("a month")), "1 to 29 February 2024");
        assert_eq!(percent(Share::parse("0.8").expect("a number").expect("a share")), "80 %");
        assert_eq!(percent(Share::parse("0.333333333333").expect("a number").expect("a share")), "33.3333333333 %");
        assert_eq!(units(Meter::GpuSeconds, Quantity::parse("1").expect("one")), "GPU-second");
        assert_eq!(units(Meter::Requests, Quantity::parse("0.5").expect("half")), "requests");
    }
}

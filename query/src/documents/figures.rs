//! Numbers, units and months as people read them.
//!
//! Invariant: grouping digits and adding zeros never changes a value.

use chrono::{DateTime, Datelike, Timelike, Utc};
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::{Quantity, Share};
use stempoint_schemas::time::{Instant, Month};

use super::statement::{Line, Statement, TrueUp};

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

/// What a line is for: its dimensions, or what adjusts the lines above it.
pub(crate) fn what(line: &Line) -> String {
    line.adjustment.as_deref().map_or_else(|| dimensions(&line.dimensions), adjustment)
}

/// What stands in the place of dimensions in a line that adjusts others.
pub(crate) fn adjustment(model: &str) -> String {
    format!("adjustment: {model}")
}

/// Of what a commitment is, and what was billed of it: `300 USD for 2023-11 to
/// 2024-01, less 120.5 for usage`.
pub(crate) fn lacking(statement: &Statement, true_up: &TrueUp) -> String {
    let (first, last, currency) = (true_up.first, statement.period, &statement.currency);
    let (committed, billed) = (grouped(&true_up.committed.to_string()), grouped(&true_up.billed.to_string()));
    if first == last {
        return format!("{committed} {currency} for the month, less {billed} for usage");
    }
    format!("{committed} {currency} for {first} to {last}, less {billed} for usage")
}

/// A month with its first and last day: `1 to 30 November 2023`.
pub(crate) fn days(month: Month) -> String {
    let day = |us: i64| DateTime::<Utc>::from_timestamp_micros(us).unwrap_or_default();
    let last = day(month.end().us() - 1);
    format!("1 to {} {}", last.day(), last.format("%B %Y"))
}

/// A moment to the minute: `16 November 2023`, `16 November 2023, 13:00 UTC`.
pub(crate) fn moment(time: Instant) -> String {
    let time = utc(time);
    format!("{} {}{}", time.day(), time.format("%B %Y"), hour(time, ", %H:%M UTC"))
}

/// The same, short: `2023-11-16`, `2023-11-16 13:00 UTC`.
pub(crate) fn short_moment(time: Instant) -> String {
    let time = utc(time);
    format!("{}{}", time.format("%Y-%m-%d"), hour(time, " %H:%M UTC"))
}

/// The day of a moment: `2023-11-16`.
pub(crate) fn day(time: Instant) -> String {
    utc(time).format("%Y-%m-%d").to_string()
}

/// What stands before the tax: `VAT 19 %`.
pub(crate) fn tax_label(statement: &Statement) -> String {
    statement.tax_terms.as_ref().map_or("Tax".to_owned(), |tax| format!("{} {}", tax.name, percent(tax.rate)))
}

fn utc(time: Instant) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.us()).unwrap_or_default()
}

fn hour(time: DateTime<Utc>, form: &str) -> String {
    if time.num_seconds_from_midnight() == 0 { String::new() } else { time.format(form).to_string() }
}

/// From when the price of each line holds, for the lines that share their
/// meter and dimensions with another: those differ by nothing else that a
/// reader sees where a later book repeats a price.
pub(crate) fn since(statement: &Statement, moment: fn(Instant) -> String) -> Vec<Option<String>> {
    let mut notes = Vec::with_capacity(statement.lines.len());
    let alike = |one: &Line, other: &Line| {
        (one.meter, &one.adjustment, &one.dimensions) == (other.meter, &other.adjustment, &other.dimensions)
    };
    for lines in statement.lines.chunk_by(alike) {
        notes.extend(lines.iter().map(|line| {
            let from = moment(line.effective_from);
            // Of two books for the same time the later one counts from when
            // it was applied.
            let books = lines.iter().filter(|other| other.effective_from == line.effective_from).count();
            match (lines.len(), books) {
                (1, _) => None,
                (_, 1) => Some(from),
                _ => Some(format!("{from} (price {})", line.price)),
            }
        }));
    }
    notes
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
        let times = [
            ("2023-11-16", "16 November 2023", "2023-11-16"),
            ("2023-11-01T09:00:00Z", "1 November 2023, 09:00 UTC", "2023-11-01 09:00 UTC"),
        ];
        for (time, long, short) in times {
            let time = Instant::parse(time).expect("a time");
            assert_eq!((moment(time).as_str(), short_moment(time).as_str()), (long, short));
        }
        assert_eq!(percent(Share::parse("0.8").expect("a number").expect("a share")), "80 %");
        assert_eq!(percent(Share::parse("0.333333333333").expect("a number").expect("a share")), "33.3333333333 %");
        assert_eq!(units(Meter::GpuSeconds, Quantity::parse("1").expect("one")), "GPU-second");
        assert_eq!(units(Meter::Requests, Quantity::parse("0.5").expect("half")), "requests");
    }
}

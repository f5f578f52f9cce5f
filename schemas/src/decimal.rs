//! Exact decimal numbers as scaled integers: text in, text out.
//!
//! Invariant: nothing is rounded or cut here. A number with more decimal
//! places than the scale holds, or out of range, is an error.

use thiserror::Error;

/// Why a text is not a number of the wanted scale.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecimalError {
    /// The text is not of the form `-123.456`.
    #[error("{0:?} is not a decimal number")]
    Syntax(String),
    /// There are more decimal places than can be kept.
    #[error("{text:?} has more than {places} decimal places")]
    TooFine {
        /// The number as given.
        text: String,
        /// How many places there can be.
        places: u32,
    },
    /// The number does not fit.
    #[error("{0:?} is too large")]
    TooLarge(String),
}

/// Ten to the power of `scale`; at most 38.
pub const fn power_of_ten(scale: u32) -> i128 {
    10_i128.pow(scale)
}

/// Reads `text` as an integer count of 10^-`scale`.
///
/// A plain number with an optional sign, fraction and exponent is accepted
/// (`1e-7` is what many programs print for small numbers). `NaN` and
/// infinities are not numbers.
pub fn parse(text: &str, scale: u32) -> Result<i128, DecimalError> {
    let syntax = || DecimalError::Syntax(shorten(text));
    let too_large = || DecimalError::TooLarge(shorten(text));
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => {
            let exponent: i32 = unsigned[at + 1..].parse().map_err(|_| syntax())?;
            (&unsigned[..at], exponent)
        }
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(syntax());
    }
    if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(syntax());
    }
    // Zeros at the end say nothing, however many there are.
    let fraction = fraction.trim_end_matches('0');
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value.checked_mul(10).and_then(|v| v.checked_add(i128::from(digit - b'0'))).ok_or_else(too_large)?;
    }
    let places = i64::try_from(fraction.len()).map_err(|_| too_large())? - i64::from(exponent);
    let shift = i64::from(scale) - places;
    if value != 0 {
        if shift >= 0 {
            if shift > 38 {
                return Err(too_large());
            }
            value = value.checked_mul(power_of_ten(shift as u32)).ok_or_else(too_large)?;
        } else {
            let too_fine = || DecimalError::TooFine { text: shorten(text), places: scale };
            if shift < -38 {
                return Err(too_fine());
            }
            let divisor = power_of_ten((-shift) as u32);
            if value % divisor != 0 {
                return Err(too_fine());
            }
            value /= divisor;
        }
    }
    Ok(if negative { -value } else { value })
}

/// Writes an integer count of 10^-`scale` without trailing zeros.
pub fn format(value: i128, scale: u32) -> String {
    let (whole, fraction) = split(value, scale);
    let sign = if value < 0 { "-" } else { "" };
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{fraction:0width$}", width = scale as usize);
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

/// Writes an integer count of 10^-`scale` with exactly `places` decimal
/// places; what is finer must be zero or is shown in full.
pub fn format_places(value: i128, scale: u32, places: u32) -> String {
    let short = format(value, scale);
    let shown = short.split_once('.').map_or(0, |(_, f)| f.len());
    let missing = (places as usize).saturating_sub(shown);
    match (missing, shown) {
        (0, _) => short,
        (_, 0) => format!("{short}.{}", "0".repeat(missing)),
        _ => format!("{short}{}", "0".repeat(missing)),
    }
}

fn split(value: i128, scale: u32) -> (u128, u128) {
    let unit = power_of_ten(scale).unsigned_abs();
    (value.unsigned_abs() / unit, value.unsigned_abs() % unit)
}

/// Keeps error messages short when the input is hostile.
pub fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_writes() {
        for (text, scale, value) in [
            ("0", 9, 0),
            ("2.50", 12, 2_500_000_000_000),
            ("-0.000000001", 9, -1),
            ("1e-9", 9, 1),
            ("1.5E3", 3, 1_500_000),
            (".5", 1, 5),
            ("7.", 0, 7),
            ("0.000000000000000", 3, 0),
            ("1.00000000000000000000000000000000000000000000", 0, 1),
        ] {
            assert_eq!(parse(text, scale), Ok(value), "{text}");
        }
        assert_eq!(format(-1, 9), "-0.000000001");
        assert_eq!(format_places(2_500_000_000_000, 12, 2), "2.50");
        assert_eq!(format_places(2_000_000_000_000, 12, 2), "2.00");
        assert_eq!(format_places(1, 12, 2), "0.000000000001");
    }

    #[test]
    fn refuses() {
        for text in ["", "-", ".", "NaN", "inf", "1,5", "1e", "0x10", "1e99999999999", " 1", "1e60"] {
            assert!(parse(text, 9).is_err(), "{text}");
        }
        assert!(matches!(parse("0.0000000001", 9), Err(DecimalError::TooFine { .. })));
        assert!(matches!(parse(&"9".repeat(39), 0), Err(DecimalError::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn text_and_back(value in any::<i128>(), scale in 0u32..=18) {
            let value = value / 2;
            let text = format(value, scale);
            match parse(&text, scale) {
                Ok(back) => prop_assert_eq!(back, value),
                Err(error) => prop_assert!(false, "{} {}", text, error),
            }
        }

        #[test]
        fn never_panics(text in ".{0,40}", scale in 0u32..=18) {
            let _ = parse(&text, scale);
        }
    }
}

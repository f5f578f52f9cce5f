//! In how many decimal places a currency is paid.

/// Currencies without a smaller unit (ISO 4217).
const NONE: [&str; 16] =
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"];
/// Currencies with thousandths (ISO 4217).
const THREE: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// The decimal places to which a total is rounded. Two for a currency that
/// is not known otherwise; nine for the platform's token SPT, as on Solana.
pub fn minor_units(currency: &str) -> u32 {
    match currency {
        "SPT" => 9,
        code if NONE.contains(&code) => 0,
        code if THREE.contains(&code) => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_and_the_exceptions() {
        for (currency, places) in [("USD", 2), ("EUR", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("SPT", 9), ("", 2)] {
            assert_eq!(minor_units(currency), places, "{currency}");
        }
    }
}

//! Texts in SQL that programs write.
//!
//! Invariant: a text from outside stays within its quotes.

/// A text as SQL writes it.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_leave_their_quotes() {
        assert_eq!(literal("o'brien' OR '1'='1"), "'o''brien'' OR ''1''=''1'");
    }
}

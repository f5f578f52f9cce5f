//! What the documents call things.

use crate::documents::statement::Kind;

/// The words that differ from document to document.
pub(super) struct Words {
    pub title: &'static str,
    pub party: &'static str,
    pub total: &'static str,
    pub appendix: &'static str,
}

pub(super) const fn words(kind: Kind) -> Words {
    match kind {
        Kind::Invoice => Words {
            title: "Invoice",
            party: "Billed to",
            total: "Total due",
            appendix: "How every amount can be recomputed",
        },
        Kind::Earnings => Words {
            title: "Statement of earnings",
            party: "Provider",
            total: "Total earned",
            appendix: "How every amount can be recomputed",
        },
    }
}

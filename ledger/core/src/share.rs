//! Shares of a price book: who earns what part of the linear amounts besides
//! the platform.
//!
//! Invariant: of no usage more than all is given away; a book whose shares
//! could come to more is refused when it is applied.

use std::collections::BTreeSet;
use std::fmt;

use stempoint_schemas::decimal;
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::{SHARE_SCALE, Share};
use thiserror::Error;

use crate::book::{contradict, known_dimensions};
use crate::names::{Name, Names};
use crate::usage::Dimensions;

/// Who earns a share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Earner {
    /// Whoever served the usage.
    Provider,
    /// The owner of a model, by its name.
    ModelOwner(String),
    /// The owners of machines together, by the name of their pool.
    AssetPool(String),
}

impl Earner {
    /// What precedes `/payable` in the name of its account: for example
    /// `model_owner/acme-labs`. `None` for providers, of whom each has its own.
    pub fn holder(&self) -> Option<String> {
        match self {
            Earner::Provider => None,
            Earner::ModelOwner(name) => Some(format!("model_owner/{name}")),
            Earner::AssetPool(name) => Some(format!("asset_pool/{name}")),
        }
    }
}

impl fmt::Display for Earner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.holder().as_deref().unwrap_or("provider"))
    }
}

/// A part of what usage costs by its linear price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookShare {
    /// Of which meter.
    pub meter: Meter,
    /// Who earns it.
    pub earner: Earner,
    /// The dimensions that usage must have, sorted by dimension; none for a
    /// provider's share.
    pub matches: Vec<(Dimension, String)>,
    /// The providers who must have served it; empty for all, as for a
    /// provider's share.
    pub providers: BTreeSet<String>,
    /// How much of it.
    pub part: Share,
}

/// Why shares cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShareError {
    /// A meter has two shares for providers.
    #[error("{0} has a share already")]
    Twice(Meter),
    /// A share is of usage with a dimension that its meter does not have.
    #[error("{meter} has no dimension {dimension:?}; it has {known}")]
    Dimension {
        /// The meter.
        meter: Meter,
        /// The dimension that is not one.
        dimension: String,
        /// Those that are.
        known: String,
    },
    /// A share of nothing.
    #[error("part must be more than 0")]
    Nothing,
    /// Shares of the same usage are more than all of it.
    #[error(
        "the shares of {meter} that could meet here come to {sum} of what it costs; together they may be 1 at most"
    )]
    TooMuch {
        /// The meter.
        meter: Meter,
        /// What they come to.
        sum: String,
    },
}

impl BookShare {
    /// A provider's share.
    pub fn of_provider(meter: Meter, part: Share) -> BookShare {
        BookShare { meter, earner: Earner::Provider, matches: Vec::new(), providers: BTreeSet::new(), part }
    }

    /// Whether usage that a provider served is of this share.
    pub(crate) fn is_of(&self, dimensions: Dimensions, provider: Name, names: &Names) -> bool {
        let is_served = || names.text(provider).is_some_and(|provider| self.providers.contains(provider));
        dimensions.meet(&self.matches, names) && (self.providers.is_empty() || is_served())
    }

    /// Whether some usage can be of both shares.
    fn can_meet(&self, other: &BookShare) -> bool {
        let are_apart =
            !self.providers.is_empty() && !other.providers.is_empty() && self.providers.is_disjoint(&other.providers);
        self.meter == other.meter && !contradict(&self.matches, &other.matches) && !are_apart
    }
}

/// Checks the shares of a book; an error comes with the position of the share
/// that it is about, from 0.
pub(crate) fn check(shares: &[BookShare]) -> Result<(), (usize, ShareError)> {
    for (index, share) in shares.iter().enumerate() {
        check_one(share, &shares[..index]).map_err(|problem| (index, problem))?;
    }
    Ok(())
}

fn check_one(share: &BookShare, before: &[BookShare]) -> Result<(), ShareError> {
    let meter = share.meter;
    if share.earner != Earner::Provider {
        if share.part == Share::NONE {
            return Err(ShareError::Nothing);
        }
    } else if before.iter().any(|other| (other.meter, &other.earner) == (meter, &Earner::Provider)) {
        return Err(ShareError::Twice(meter));
    }
    if let Some((dimension, _)) = share.matches.iter().find(|(d, _)| !meter.dimensions().contains(d)) {
        return Err(no_such_dimension(meter, dimension.name()));
    }
    // Whatever usage is of this share: no other share is of it than those that
    // can meet this one.
    let sum: i128 = before.iter().filter(|other| other.can_meet(share)).map(|other| other.part.pico()).sum::<i128>()
        + share.part.pico();
    if sum > Share::WHOLE.pico() {
        return Err(ShareError::TooMuch { meter, sum: decimal::format(sum, SHARE_SCALE) });
    }
    Ok(())
}

/// The error for a dimension that a meter does not have.
pub(crate) fn no_such_dimension(meter: Meter, dimension: &str) -> ShareError {
    ShareError::Dimension { meter, dimension: dimension.to_owned(), known: known_dimensions(meter) }
}

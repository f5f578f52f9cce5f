//! Meters: what is counted, in which unit, and by which dimensions a price
//! may tell usage apart.
//!
//! Invariant: the list of a meter's dimensions is fixed; a price that names
//! another one is an error when it is applied.

use std::fmt;

/// One unit of a meter, in 10^-9 of it, which is what quantities are kept in.
pub const UNIT_NANO: i128 = 1_000_000_000;
/// A thousandth of a unit, which events count joules in, in 10^-9 of a unit.
pub const MILLI_NANO: i128 = 1_000_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meter {
    /// Tokens read by a model.
    TokensInput,
    /// Tokens written by a model.
    TokensOutput,
    /// Tokens read from a cache, as the producer reported them. They are
    /// counted apart from [`Meter::TokensInput`], never taken off it.
    TokensCachedInput,
    /// API calls.
    Requests,
    /// Leased seconds of one GPU.
    GpuSeconds,
    /// Joules drawn while leased.
    EnergyJoules,
}

/// A property of usage that a price may match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// The model that was called.
    Model,
    /// The class of GPU.
    Gpu,
    /// Where it ran.
    Region,
}

impl Dimension {
    /// All dimensions, in the order of their columns.
    pub const ALL: [Dimension; 3] = [Dimension::Model, Dimension::Gpu, Dimension::Region];

    /// The name in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Dimension::Model => "model",
            Dimension::Gpu => "gpu",
            Dimension::Region => "region",
        }
    }

    /// The dimension of that name.
    pub fn from_name(name: &str) -> Option<Dimension> {
        Dimension::ALL.into_iter().find(|d| d.name() == name)
    }
}

impl Meter {
    /// All meters, in the order in which documents list them.
    pub const ALL: [Meter; 6] = [
        Meter::TokensInput,
        Meter::TokensOutput,
        Meter::TokensCachedInput,
        Meter::Requests,
        Meter::GpuSeconds,
        Meter::EnergyJoules,
    ];

    /// The position in [`Meter::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Meter::TokensInput => "tokens.input",
            Meter::TokensOutput => "tokens.output",
            Meter::TokensCachedInput => "tokens.cached_input",
            Meter::Requests => "requests",
            Meter::GpuSeconds => "gpu.seconds",
            Meter::EnergyJoules => "energy.joules",
        }
    }

    /// The meter of that name.
    pub fn from_name(name: &str) -> Option<Meter> {
        Meter::ALL.into_iter().find(|m| m.name() == name)
    }

    /// The unit as people write it.
    pub const fn unit(self) -> &'static str {
        match self {
            Meter::TokensInput | Meter::TokensOutput | Meter::TokensCachedInput => "token",
            Meter::Requests => "request",
            Meter::GpuSeconds => "GPU-second",
            Meter::EnergyJoules => "joule",
        }
    }

    /// The dimensions that a price of this meter may match.
    pub const fn dimensions(self) -> &'static [Dimension] {
        match self {
            Meter::TokensInput | Meter::TokensOutput | Meter::TokensCachedInput | Meter::Requests => {
                &[Dimension::Model, Dimension::Region]
            }
            Meter::GpuSeconds | Meter::EnergyJoules => &[Dimension::Gpu, Dimension::Region],
        }
    }

    /// The table whose rows are counted, and the SQL expression that gives
    /// one row's quantity.
    pub const fn counted_in(self) -> (&'static str, &'static str) {
        match self {
            Meter::TokensInput => ("api_calls", "input_tokens"),
            Meter::TokensOutput => ("api_calls", "output_tokens"),
            Meter::TokensCachedInput => ("api_calls", "cached_input_tokens"),
            Meter::Requests => ("api_calls", "1"),
            Meter::GpuSeconds => ("gpu_usage", "gpu_seconds"),
            Meter::EnergyJoules => ("gpu_usage", "energy_joules"),
        }
    }
}

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

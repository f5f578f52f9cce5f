//! `stempoint waive`: give up usage that has no price.

use anyhow::{Context as _, Result, anyhow};
use stempoint_core::control::{Act, Waive};
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::time::Month;

use crate::access::Access;
use crate::cli::WaiveArgs;
use crate::context::Context;

pub fn run(context: &Context, args: &WaiveArgs) -> Result<()> {
    let meter = Meter::from_name(&args.meter).ok_or_else(|| {
        anyhow!("meter {:?} is not known; the meters are {}", args.meter, Meter::ALL.map(Meter::name).join(", "))
    })?;
    let mut matches = Vec::new();
    for given in &args.matches {
        let (name, value) =
            given.split_once('=').with_context(|| format!("--match {given:?} is not DIMENSION=VALUE"))?;
        let dimension = Dimension::from_name(name)
            .filter(|dimension| meter.dimensions().contains(dimension))
            .ok_or_else(|| anyhow!("{meter} has no dimension {name:?}"))?;
        matches.push((dimension, value.to_owned()));
    }
    let act = Act::Waive(Waive { meter, period: Month::parse(&args.period)?, matches, reason: args.reason.clone() });
    let access = Access::open(context)?;
    let done = access.settle().and_then(|_| access.control(&act));
    access.report(done)
}

//! Shares of a price book: from and to their protobuf form.
//!
//! Invariant: a share that was read and is written again is the same message.

use std::collections::BTreeSet;

use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::Share;
use stempoint_schemas::proto;

use super::money::plain;
use super::{dimensions_from, dimensions_to, meter_from};
use crate::share::{BookShare, Earner};

pub(super) fn share_from(wire: &proto::Share) -> Result<BookShare, String> {
    let meter = meter_from(&wire.meter)?;
    let earner = match (wire.model_owner.as_str(), wire.asset_pool.as_str()) {
        ("", "") => return provider_share_from(wire, meter),
        (name, "") => Earner::ModelOwner(plain("model_owner", name)?),
        ("", name) => Earner::AssetPool(plain("asset_pool", name)?),
        _ => return Err("a share is a model owner's or an asset pool's, not both".to_owned()),
    };
    if !wire.provider.is_empty() {
        return Err(format!("a share of {earner} says its part in part, not in provider"));
    }
    let providers: BTreeSet<String> =
        wire.providers.iter().map(|name| plain("provider", name)).collect::<Result<_, _>>()?;
    if providers.len() < wire.providers.len() {
        return Err("a provider stands there twice".to_owned());
    }
    Ok(BookShare {
        meter,
        earner,
        matches: dimensions_from(&wire.r#match)?,
        providers,
        part: part(&wire.part, "part", meter)?,
    })
}

fn provider_share_from(wire: &proto::Share, meter: Meter) -> Result<BookShare, String> {
    if !wire.part.is_empty() || !wire.r#match.is_empty() || !wire.providers.is_empty() {
        return Err("a provider's share is of all usage of its meter, and has no part".to_owned());
    }
    Ok(BookShare::of_provider(meter, part(&wire.provider, "provider", meter)?))
}

fn part(text: &str, what: &str, meter: Meter) -> Result<Share, String> {
    let part = Share::parse(text).map_err(|error| format!("{what}: {error}"))?;
    part.ok_or_else(|| format!("{what} of {meter} is not between 0 and 1"))
}

pub(super) fn share_to(share: &BookShare) -> proto::Share {
    let mut wire = proto::Share {
        meter: share.meter.name().to_owned(),
        r#match: dimensions_to(&share.matches),
        providers: share.providers.iter().cloned().collect(),
        ..proto::Share::default()
    };
    let part = share.part.to_string();
    match &share.earner {
        Earner::Provider => wire.provider = part,
        Earner::ModelOwner(name) => (wire.model_owner, wire.part) = (name.clone(), part),
        Earner::AssetPool(name) => (wire.asset_pool, wire.part) = (name.clone(), part),
    }
    wire
}

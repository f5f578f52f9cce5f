//! Shares in the file format of price books.
//!
//! Invariant: a share is either the provider's or that of one owner, and an
//! error names the line.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::Share;
use toml::Spanned;

use super::{Lines, PriceFileError};
use crate::share::{BookShare, Earner, no_such_dimension};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileShare {
    meter: Spanned<String>,
    provider: Option<Spanned<String>>,
    model_owner: Option<Spanned<String>>,
    asset_pool: Option<Spanned<String>>,
    part: Option<Spanned<String>>,
    #[serde(default, rename = "match")]
    matches: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    providers: Vec<Spanned<String>>,
}

impl Lines<'_> {
    pub(super) fn share(&self, share: &Spanned<FileShare>) -> Result<BookShare, PriceFileError> {
        let file = share.get_ref();
        let meter = self.meter(&file.meter)?;
        let earner = match (&file.provider, &file.model_owner, &file.asset_pool) {
            (Some(part), None, None) => return self.provider_share(file, meter, part),
            (None, Some(name), None) => Earner::ModelOwner(self.plain("model_owner", name)?),
            (None, None, Some(name)) => Earner::AssetPool(self.plain("asset_pool", name)?),
            _ => return Err(self.error(share, "a share names one of provider, model_owner and asset_pool")),
        };
        let Some(part) = &file.part else {
            return Err(self.error(share, format!("the share of {earner} needs part, such as \"0.05\"")));
        };
        let mut providers = BTreeSet::new();
        for provider in &file.providers {
            if !providers.insert(self.plain("a provider", provider)?) {
                return Err(self.error(provider, format!("{:?} stands there twice", provider.get_ref())));
            }
        }
        let matches = self.dimensions(meter, &file.matches)?;
        Ok(BookShare { meter, earner, matches, providers, part: self.part(part, "part")? })
    }

    fn provider_share(
        &self,
        file: &FileShare,
        meter: Meter,
        part: &Spanned<String>,
    ) -> Result<BookShare, PriceFileError> {
        let too_much = file.part.as_ref().or_else(|| file.matches.keys().next()).or(file.providers.first());
        if let Some(value) = too_much {
            let problem = "match, providers and part are for the shares of model owners and asset pools; the provider's is of all usage of its meter";
            return Err(self.error(value, problem));
        }
        Ok(BookShare::of_provider(meter, self.part(part, "provider")?))
    }

    fn part(&self, text: &Spanned<String>, what: &str) -> Result<Share, PriceFileError> {
        match Share::parse(text.get_ref()) {
            Ok(Some(part)) => Ok(part),
            Ok(None) => Err(self.error(text, format!("{what} must be between 0 and 1"))),
            Err(error) => Err(self.error(text, format!("{what} is wrong: {error}"))),
        }
    }

    fn dimensions(
        &self,
        meter: Meter,
        matches: &BTreeMap<Spanned<String>, Spanned<String>>,
    ) -> Result<Vec<(Dimension, String)>, PriceFileError> {
        let mut dimensions = Vec::new();
        for (name, value) in matches {
            let dimension = Dimension::from_name(name.get_ref())
                .filter(|dimension| meter.dimensions().contains(dimension))
                .ok_or_else(|| self.error(name, no_such_dimension(meter, name.get_ref()).to_string()))?;
            dimensions.push((dimension, self.plain(name.get_ref(), value)?));
        }
        dimensions.sort();
        Ok(dimensions)
    }
}

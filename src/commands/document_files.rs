//! Many documents as files.
//!
//! Invariant: a file is written whole or not at all, and has the name of its
//! document, so that writing again replaces it by the same.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use stempoint_query::documents::{Document, DocumentError, DocumentFormat, Letterhead};
use stempoint_schemas::profile::Profile;

use crate::commands::{documents, profile};
use crate::context::Context;
use crate::progress::Progress;

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// How many files.
    pub files: u64,
    /// How large they are together.
    pub bytes: u64,
}

/// What documents are sent with.
pub struct Sender {
    letterhead: Letterhead,
    profiles: BTreeMap<String, Profile>,
    format: DocumentFormat,
}

impl Sender {
    /// What is known now of the company and of everybody.
    pub fn new(context: &Context, format: DocumentFormat) -> Result<Sender> {
        Ok(Sender { letterhead: context.config.letterhead()?, profiles: profile::all(context)?, format })
    }

    /// Writes documents into a folder; `what` they are is shown with the
    /// progress.
    pub fn write(
        &self,
        what: &'static str,
        documents: impl Iterator<Item = Result<Document, DocumentError>>,
        into: &Path,
    ) -> Result<Written> {
        std::fs::create_dir_all(into).with_context(|| format!("failed to create the folder {}", into.display()))?;
        let progress = Progress::new(what, documents.size_hint().0 as u64);
        let mut written = Written::default();
        for document in documents {
            let document = document?;
            let file = into.join(format!("{}.{}", document.number().unwrap_or_default(), extension(self.format)));
            let profile = self.profiles.get(document.party()).cloned();
            let bytes = document.with_profile(profile).render(&self.letterhead, self.format);
            documents::write(&file, &bytes)?;
            written = Written { files: written.files + 1, bytes: written.bytes + bytes.len() as u64 };
            progress.set(written.files);
        }
        progress.done();
        Ok(written)
    }
}

fn extension(format: DocumentFormat) -> &'static str {
    match format {
        DocumentFormat::Text => "txt",
        other => other.name(),
    }
}

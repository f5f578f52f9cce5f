//! The receivers of webhooks in the configuration.
//!
//! Invariant: a secret is read from a variable or a file and is never part of
//! the configuration or of a message.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use stempoint_api::{Receiver, Secret, Timing};
use toml::Spanned;

use super::{Check, ContentError, TEXT_CHARS_MAX};

/// The most characters of a URL.
const URL_CHARS_MAX: usize = 2_000;
/// The longest name of a receiver.
const NAME_CHARS_MAX: usize = 40;
/// The longest wait that can be configured (milliseconds): a day.
const WAIT_MS_MAX: u64 = 86_400_000;
/// What receivers can be told of.
const EVENTS: [&str; 1] = ["alert"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookTable {
    name: Spanned<String>,
    url: Spanned<String>,
    secret_env: Option<Spanned<String>>,
    secret_file: Option<Spanned<String>>,
    #[serde(default)]
    events: Vec<Spanned<String>>,
    retry_first_ms: Option<Spanned<u64>>,
    retry_max_ms: Option<Spanned<u64>>,
    timeout_ms: Option<Spanned<u64>>,
}

/// A receiver whose secret is not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    pub name: String,
    pub url: String,
    secret: SecretFrom,
    pub timing: Timing,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SecretFrom {
    Variable(String),
    File(PathBuf),
}

impl WebhookConfig {
    /// The receiver with its secret; a file's name is relative to the folder
    /// of the configuration.
    pub fn receiver(self, folder: &Path) -> Result<Receiver> {
        let WebhookConfig { name, url, secret, timing } = self;
        let (place, text) = match secret {
            SecretFrom::Variable(variable) => {
                let text = std::env::var(&variable);
                let text = text.with_context(|| {
                    format!("the variable {variable}, which holds the secret of webhook {name}, cannot be read")
                })?;
                (variable, text)
            }
            SecretFrom::File(file) => {
                let file = folder.join(file);
                let text = std::fs::read_to_string(&file);
                let place = file.display().to_string();
                (place.clone(), text.with_context(|| format!("failed to read the secret of webhook {name}, {place}"))?)
            }
        };
        let secret =
            Secret::parse(&text).with_context(|| format!("the secret of webhook {name} in {place} is wrong"))?;
        Ok(Receiver { name, url, secret, timing })
    }
}

/// Checks all receivers.
pub(super) fn webhooks(check: &Check<'_>, tables: Vec<WebhookTable>) -> Result<Vec<WebhookConfig>, ContentError> {
    let mut webhooks: Vec<WebhookConfig> = Vec::new();
    for table in tables {
        let is_known = |webhook: &WebhookConfig| webhook.name == *table.name.get_ref();
        if webhooks.iter().any(is_known) {
            return Err(check.error(&table.name, format!("name {} stands there twice", table.name.get_ref())));
        }
        webhooks.push(webhook(check, table)?);
    }
    Ok(webhooks)
}

fn webhook(check: &Check<'_>, table: WebhookTable) -> Result<WebhookConfig, ContentError> {
    let secret = match (table.secret_env, table.secret_file) {
        (Some(variable), None) => SecretFrom::Variable(check.text("secret_env", variable, TEXT_CHARS_MAX)?),
        (None, Some(file)) => SecretFrom::File(check.text("secret_file", file, TEXT_CHARS_MAX)?.into()),
        _ => {
            let problem = "a webhook has either secret_env or secret_file: where its secret is".to_owned();
            return Err(check.error(&table.name, problem));
        }
    };
    for event in &table.events {
        if !EVENTS.contains(&event.get_ref().as_str()) {
            let problem = format!("there is no event {:?}; there is {}", event.get_ref(), EVENTS.join(", "));
            return Err(check.error(event, problem));
        }
    }
    let usual = Timing::default();
    let wait =
        |key, given: Option<Spanned<u64>>, usual| given.map_or(Ok(usual), |given| milliseconds(check, key, &given));
    let timing = Timing {
        retry_first: wait("retry_first_ms", table.retry_first_ms, usual.retry_first)?,
        retry_max: wait("retry_max_ms", table.retry_max_ms, usual.retry_max)?,
        timeout: wait("timeout_ms", table.timeout_ms, usual.timeout)?,
    };
    Ok(WebhookConfig { name: name(check, table.name)?, url: url(check, table.url)?, secret, timing })
}

fn name(check: &Check<'_>, name: Spanned<String>) -> Result<String, ContentError> {
    let text = name.get_ref();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if text.is_empty() || text.len() > NAME_CHARS_MAX || !is_plain {
        let problem = format!("name must be 1 to {NAME_CHARS_MAX} small letters, digits and hyphens");
        return Err(check.error(&name, problem));
    }
    Ok(name.into_inner())
}

fn url(check: &Check<'_>, url: Spanned<String>) -> Result<String, ContentError> {
    let is_url = url.get_ref().parse::<ureq::http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    });
    if !is_url || url.get_ref().len() > URL_CHARS_MAX {
        return Err(check.error(&url, "url is not one that begins with https:// or http://".to_owned()));
    }
    check.text("url", url, URL_CHARS_MAX)
}

fn milliseconds(check: &Check<'_>, key: &str, value: &Spanned<u64>) -> Result<Duration, ContentError> {
    match *value.get_ref() {
        given @ 1..=WAIT_MS_MAX => Ok(Duration::from_millis(given)),
        given => Err(check.error(value, format!("{key} must be 1 to {WAIT_MS_MAX}, not {given}"))),
    }
}

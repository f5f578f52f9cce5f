//! The configuration file: who sends the documents, how they are paid, and who
//! is told of alerts.
//!
//! Invariant: a file that is read is understood whole; an error names the
//! file, the line and the key. Without a file everything has a default.

mod webhook;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use stempoint_api::Receiver;
use stempoint_query::documents::{Issuer, Letterhead};
use toml::Spanned;

use webhook::{WebhookConfig, WebhookTable};

/// The file's name in the data folder.
const FILE: &str = "stempoint.toml";
/// The most characters of one text, and of one paragraph of the notes.
const TEXT_CHARS_MAX: usize = 200;
const NOTE_CHARS_MAX: usize = 1000;
/// The most lines of an address, of payment details and of notes.
const LINES_MAX: usize = 10;
const DUE_DAYS_MAX: i64 = 365;

/// Where the configuration is.
#[derive(Debug, Clone)]
pub enum ConfigFile {
    /// A file that was named: it must be there.
    Named(PathBuf),
    /// The one in the data folder, if it is there.
    InDataFolder(PathBuf),
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("failed to read the configuration {file}: {error}", file = .0.display(), error = .1)]
    Read(PathBuf, #[source] std::io::Error),
    /// The file says something that is not understood.
    #[error("failed to understand the configuration {file}: {error}", file = .0.display(), error = .1)]
    Content(PathBuf, #[source] ContentError),
}

/// What is wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ContentError {
    line: usize,
    problem: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Content {
    issuer: Option<IssuerTable>,
    #[serde(default)]
    invoice: InvoiceTable,
    #[serde(default)]
    webhook: Vec<WebhookTable>,
}

/// All that a configuration says.
#[derive(Debug, Default)]
struct Config {
    letterhead: Letterhead,
    webhooks: Vec<WebhookConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerTable {
    name: Spanned<String>,
    #[serde(default)]
    address: Vec<Spanned<String>>,
    tax_id: Option<Spanned<String>>,
    email: Option<Spanned<String>>,
    #[serde(default)]
    payment: Vec<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct InvoiceTable {
    due_days: Option<Spanned<i64>>,
    #[serde(default)]
    notes: Vec<Spanned<String>>,
}

impl ConfigFile {
    /// The file that was named, or the one in the data folder.
    pub fn choose(named: Option<&Path>, data: &Path) -> ConfigFile {
        match named {
            Some(file) => ConfigFile::Named(file.to_owned()),
            None => ConfigFile::InDataFolder(data.join(FILE)),
        }
    }

    /// What documents are sent with.
    pub fn letterhead(&self) -> Result<Letterhead, ConfigError> {
        Ok(self.read()?.letterhead)
    }

    /// Who is told of alerts, with their secrets.
    ///
    /// # Errors
    /// [`ConfigError`], or that a secret cannot be read.
    pub fn receivers(&self) -> anyhow::Result<Vec<Receiver>> {
        let (ConfigFile::Named(path) | ConfigFile::InDataFolder(path)) = self;
        let folder = path.parent().unwrap_or(Path::new("."));
        self.read()?.webhooks.into_iter().map(|webhook| webhook.receiver(folder)).collect()
    }

    fn read(&self) -> Result<Config, ConfigError> {
        let (ConfigFile::Named(path) | ConfigFile::InDataFolder(path)) = self;
        match (std::fs::read(path), self) {
            (Ok(bytes), _) => config(&bytes).map_err(|error| ConfigError::Content(path.clone(), error)),
            (Err(error), ConfigFile::InDataFolder(_)) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Config::default())
            }
            (Err(error), _) => Err(ConfigError::Read(path.clone(), error)),
        }
    }
}

/// Reads the content of a file.
fn config(bytes: &[u8]) -> Result<Config, ContentError> {
    let text = std::str::from_utf8(bytes).map_err(|error| ContentError {
        line: line_at(bytes, error.valid_up_to()),
        problem: "the file is not UTF-8 text".to_owned(),
    })?;
    let content: Content = toml::from_str(text).map_err(|error| misread(text, &error))?;
    let check = Check(text);
    let issuer = content.issuer.map(|table| check.issuer(table)).transpose()?;
    let due_days = content.invoice.due_days.as_ref().map(|days| check.due_days(days)).transpose()?;
    let notes = check.list("notes", content.invoice.notes, NOTE_CHARS_MAX)?;
    let webhooks = webhook::webhooks(&check, content.webhook)?;
    Ok(Config { letterhead: Letterhead { issuer, due_days, notes }, webhooks })
}

/// The reader's own words, with the key of the line where it stopped.
fn misread(text: &str, error: &toml::de::Error) -> ContentError {
    let at = error.span().map_or(0, |span| span.start);
    let line = line_at(text.as_bytes(), at);
    let key = text.lines().nth(line - 1).and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
    let message = error.message().trim();
    let problem = match key {
        Some(key) if !key.is_empty() && !message.contains(&format!("`{key}`")) => format!("{key}: {message}"),
        _ => message.to_owned(),
    };
    ContentError { line, problem }
}

fn line_at(bytes: &[u8], at: usize) -> usize {
    bytes.iter().take(at).filter(|&&byte| byte == b'\n').count() + 1
}

/// Checks values and says on which line one is wrong.
struct Check<'a>(&'a str);

impl Check<'_> {
    fn issuer(&self, table: IssuerTable) -> Result<Issuer, ContentError> {
        let optional =
            |key, value: Option<Spanned<String>>| value.map(|v| self.text(key, v, TEXT_CHARS_MAX)).transpose();
        Ok(Issuer {
            name: self.text("name", table.name, TEXT_CHARS_MAX)?,
            address: self.list("address", table.address, TEXT_CHARS_MAX)?,
            tax_id: optional("tax_id", table.tax_id)?,
            email: optional("email", table.email)?,
            payment: self.list("payment", table.payment, TEXT_CHARS_MAX)?,
        })
    }

    fn list(&self, key: &str, values: Vec<Spanned<String>>, chars_max: usize) -> Result<Vec<String>, ContentError> {
        if let Some(extra) = values.get(LINES_MAX) {
            return Err(self.error(extra, format!("{key} has more than {LINES_MAX} lines")));
        }
        values.into_iter().map(|value| self.text(key, value, chars_max)).collect()
    }

    fn text(&self, key: &str, value: Spanned<String>, chars_max: usize) -> Result<String, ContentError> {
        let text = value.get_ref();
        let problem = if text.trim().is_empty() {
            "is empty; leave it out instead".to_owned()
        } else if text.chars().any(char::is_control) {
            "has a line break or another control character; a list has one line each".to_owned()
        } else if text.chars().count() > chars_max {
            format!("has more than {chars_max} characters")
        } else {
            return Ok(value.into_inner());
        };
        Err(self.error(&value, format!("{key} {problem}")))
    }

    fn due_days(&self, days: &Spanned<i64>) -> Result<u16, ContentError> {
        let value = *days.get_ref();
        u16::try_from(value)
            .ok()
            .filter(|_| value <= DUE_DAYS_MAX)
            .ok_or_else(|| self.error(days, format!("due_days must be 0 to {DUE_DAYS_MAX}, not {value}")))
    }

    fn error<T>(&self, value: &Spanned<T>, problem: String) -> ContentError {
        ContentError { line: line_at(self.0.as_bytes(), value.span().start), problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        [issuer]
        name = "Example Compute Ltd"
        address = ["1 Example Street", "EC1 London"]
        tax_id = "GB 123 4567 89"
        email = "billing@example.com"
        payment = ["IBAN GB00 EXMP 0000 0000 0000 00"]

        [invoice]
        due_days = 30
        notes = ["Thank you."]

        [[webhook]]
        name = "billing"
        url = "https://example.com/hooks"
        secret_env = "BILLING_SECRET"
        events = ["alert"]
        retry_first_ms = 5

        [[webhook]]
        name = "pager"
        url = "http://127.0.0.1:9/x"
        secret_file = "pager.secret"
    "#;

    #[test]
    fn a_whole_file_is_read() {
        let Config { letterhead, webhooks } = config(WHOLE.as_bytes()).expect("it is right");
        let issuer = letterhead.issuer.expect("there is one");
        assert_eq!(issuer.name, "Example Compute Ltd");
        assert_eq!(issuer.address, ["1 Example Street", "EC1 London"]);
        assert_eq!(issuer.tax_id.as_deref(), Some("GB 123 4567 89"));
        let names: Vec<(&str, u128)> =
            webhooks.iter().map(|webhook| (webhook.name.as_str(), webhook.timing.retry_first.as_millis())).collect();
        assert_eq!(names, [("billing", 5), ("pager", 1000)]);
        assert_eq!((letterhead.due_days, letterhead.notes), (Some(30), vec!["Thank you.".to_owned()]));
    }

    #[test]
    fn nothing_needs_to_be_configured() {
        assert_eq!(config(b"").expect("it is right").letterhead, Letterhead::default());
        let missing = ConfigFile::choose(None, Path::new("/nowhere"));
        assert_eq!(missing.letterhead().expect("it may be missing"), Letterhead::default());
        let named = ConfigFile::choose(Some(Path::new("/nowhere.toml")), Path::new("/nowhere"));
        let error = named.letterhead().expect_err("it must be there").to_string();
        assert!(error.starts_with("failed to read the configuration /nowhere.toml: "), "{error}");
    }

    #[test]
    fn errors_name_the_line_and_the_key() {
        let cases: [(&[u8], &str); 20] = [
            (b"[issuer]\nnmae = \"A\"\n", "line 2: unknown field `nmae`"),
            (b"[isuer]\nname = \"A\"\n", "line 1: unknown field `isuer`"),
            (b"[invoice]\n\ndue_dys = 3\n", "line 3: unknown field `due_dys`"),
            (b"[issuer]\nemail = \"a\"\n", "line 1: missing field `name`"),
            (b"[issuer]\nname = \"A\"\ntax_id = 5\n", "line 3: tax_id: invalid type: integer `5`"),
            (b"[issuer]\nname = \"A\"\naddress = \"x\"\n", "line 3: address: invalid type: string \"x\""),
            (b"[issuer]\nname = \" \"\n", "line 2: name is empty"),
            (b"[issuer]\nname = \"A\"\npayment = [\"a\",\n  \"b\\nc\"]\n", "line 4: payment has a line break"),
            (b"[invoice]\ndue_days = 366\n", "line 2: due_days must be 0 to 365, not 366"),
            (b"[invoice]\ndue_days = -1\n", "line 2: due_days must be 0 to 365, not -1"),
            (b"[issuer]\nname = \"A\n", "line 2: name: "),
            (b"\n\xff", "line 2: the file is not UTF-8 text"),
            (b"[[webhook]]\nurl = \"http://a\"\n", "line 1: missing field `name`"),
            (
                b"[[webhook]]\nname = \"a\"\nurl = \"http://a\"\n",
                "line 2: a webhook has either secret_env or secret_file",
            ),
            (
                b"[[webhook]]\nname = \"a\"\nurl = \"http://a\"\nsecret_env = \"A\"\nsecret_file = \"a\"\n",
                "line 2: a webhook has either secret_env or secret_file",
            ),
            (b"[[webhook]]\nname = \"A b\"\nurl = \"http://a\"\nsecret_env = \"A\"\n", "line 2: name must be 1 to 40"),
            (b"[[webhook]]\nname = \"a\"\nurl = \"ftp://a\"\nsecret_env = \"A\"\n", "line 3: url is not one"),
            (
                b"[[webhook]]\nname = \"a\"\nurl = \"http://a\"\nsecret_env = \"A\"\nevents = [\"x\"]\n",
                "line 5: there is no event \"x\"; there is alert",
            ),
            (
                b"[[webhook]]\nname = \"a\"\nurl = \"http://a\"\nsecret_env = \"A\"\ntimeout_ms = 0\n",
                "line 5: timeout_ms must be 1 to 86400000, not 0",
            ),
            (
                b"[[webhook]]\nname = \"a\"\nurl = \"http://a\"\nsecret_env = \"A\"\n\
                  [[webhook]]\nname = \"a\"\nurl = \"http://b\"\nsecret_env = \"B\"\n",
                "line 6: name a stands there twice",
            ),
        ];
        for (file, expected) in cases {
            let error = config(file).expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error:?} instead of {expected:?}");
        }
        let long = format!("[issuer]\nname = \"{}\"\n", "a".repeat(201));
        let error = config(long.as_bytes()).expect_err("it is too long").to_string();
        assert_eq!(error, "line 2: name has more than 200 characters");
    }
}

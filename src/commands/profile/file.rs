//! Files of many profiles: CSV or TOML.
//!
//! Invariant: an error names the line and never what stands there.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;
use stempoint_schemas::profile::{Change, Item};

/// One party's row or table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    party: String,
    name: Option<String>,
    address: Option<String>,
    tax_id: Option<String>,
    email: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TomlFile {
    profile: Vec<toml::Spanned<Given>>,
}

/// Reads a file; all of it is right or none is taken.
pub fn read(path: &Path) -> Result<Vec<Change>> {
    let name = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("failed to read {name}"))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        anyhow!("{name}, line {}: the file is not UTF-8 text", line_at(&bytes, error.valid_up_to()))
    })?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let given = match extension {
        "csv" => from_csv(text),
        "toml" => from_toml(text),
        _ => bail!("{name}: profiles are read from files that end in .csv or .toml"),
    };
    let changes = given.and_then(changes).map_err(|(line, problem)| anyhow!("{name}, line {line}: {problem}"))?;
    if changes.is_empty() {
        bail!("{name} has no profile");
    }
    Ok(changes)
}

/// What is wrong, and on which line.
type Problem = (usize, String);

fn from_toml(text: &str) -> Result<Vec<(usize, Given)>, Problem> {
    let line = |byte| line_at(text.as_bytes(), byte);
    // The message of an error in the syntax says what was expected; its
    // Display would show the line.
    let file: TomlFile = toml::from_str(text)
        .map_err(|error| (line(error.span().map_or(0, |span| span.start)), error.message().to_owned()))?;
    Ok(file.profile.into_iter().map(|given| (line(given.span().start), given.into_inner())).collect())
}

fn from_csv(text: &str) -> Result<Vec<(usize, Given)>, Problem> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|_| (1, "the heading cannot be read".to_owned()))?.clone();
    let mut all = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        let line = usize::try_from(reader.position().line()).unwrap_or(usize::MAX);
        let more = reader.read_record(&mut record);
        if !more.map_err(|_| (line, "the row has not as many fields as the heading".to_owned()))? {
            return Ok(all);
        }
        let line = record.position().map_or(line, |at| usize::try_from(at.line()).unwrap_or(usize::MAX));
        let given: Given = record.deserialize(Some(&headers)).map_err(|error| (1, csv_problem(&error)))?;
        all.push((line, given));
    }
}

/// Rows are texts, so only the heading can be wrong.
fn csv_problem(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => {
            format!("{err}: the columns are party, name, address, tax_id and email")
        }
        _ => "the row cannot be read".to_owned(),
    }
}

fn changes(given: Vec<(usize, Given)>) -> Result<Vec<Change>, Problem> {
    let mut changes: Vec<Change> = Vec::with_capacity(given.len());
    for (line, given) in given {
        let change = change(&given).map_err(|error| (line, error.to_string()))?;
        if changes.iter().any(|other| other.party() == change.party()) {
            return Err((line, format!("{:?} is there twice", change.party())));
        }
        changes.push(change);
    }
    Ok(changes)
}

fn change(given: &Given) -> Result<Change, stempoint_schemas::profile::ProfileError> {
    let items = [
        (Item::Name, &given.name),
        (Item::Address, &given.address),
        (Item::TaxId, &given.tax_id),
        (Item::Email, &given.email),
    ];
    items.into_iter().try_fold(Change::of(&given.party)?, |change, (item, value)| match value {
        Some(value) => change.with(item, value),
        None => Ok(change),
    })
}

fn line_at(bytes: &[u8], at: usize) -> usize {
    bytes.iter().take(at).filter(|&&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(name: &str, text: &str) -> Result<Vec<Change>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn both_formats_say_the_same() {
        let csv = "party,name,address,tax_id\nacme,Acme,\"Way 1\nTown\",\nglobex,,,X-1\n";
        let toml = "[[profile]]\nparty = \"acme\"\nname = \"Acme\"\naddress = \"Way 1\\nTown\"\n\
                    [[profile]]\nparty = \"globex\"\ntax_id = \"X-1\"\n";
        assert_eq!(read_text("a.csv", csv).unwrap(), read_text("a.toml", toml).unwrap());
    }

    #[test]
    fn errors_name_the_line_and_no_value() {
        let cases = [
            ("a.csv", "party,name\nacme,Secret\nacme,Secret\n", "line 3: \"acme\" is there twice"),
            ("a.csv", "party,email\nacme,Secret\n", "line 2: the email of \"acme\" is no address"),
            ("a.csv", "party,name\nacme,Secret,Secret\n", "line 2: the row has not as many fields"),
            ("a.csv", "party,phone\nacme,Secret\n", "line 1: unknown field `phone`"),
            ("a.csv", "name\nSecret\n", "line 1: missing field `party`"),
            ("a.csv", "party,name\n", "has no profile"),
            ("a.toml", "[[profile]]\nparty = \"acme\"\nname = Secret\n", "line 3: "),
            ("a.toml", "[[profile]]\nparty = \"acme\"\nname = [\"Secret\"]\n", "line 3: invalid type"),
            ("a.toml", "[[profile]]\nname = \"Secret\"\n", "line 1: missing field `party`"),
            ("a.txt", "Secret", "end in .csv or .toml"),
        ];
        for (name, text, says) in cases {
            let said = format!("{:#}", read_text(name, text).unwrap_err());
            assert!(said.contains(says) && !said.contains("Secret"), "{name}: {said}");
        }
    }
}

//! Entries as CSV, and in the words of hledger and Beancount.
//!
//! Invariant: no text of the books can end a line or a field before its time.

use std::io::{self, Write};

use stempoint_schemas::currency::minor_units;
use stempoint_schemas::money::Amount;

use super::Entry;
use super::account::Account;
use crate::output::csv_field;

/// For which program entries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One row per line, with debit and credit.
    Csv,
    /// A journal of hledger and Ledger.
    Hledger,
    /// A file of Beancount.
    Beancount,
}

/// Why entries could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A currency that the form cannot say.
    #[error(
        "the currency {0:?} cannot be written for Beancount, which wants 2 to 24 capital letters and digits: use --format csv or hledger"
    )]
    Currency(String),
    /// The place that is written to failed.
    #[error("failed to write the entries: {0}")]
    Write(#[from] io::Error),
}

/// Writes the entries of a month.
///
/// # Errors
/// [`WriteError`]; what came before is written already.
pub fn write(entries: &[Entry], form: Form, out: &mut (dyn Write + Send)) -> Result<(), WriteError> {
    match form {
        Form::Csv => {
            writeln!(out, "date,entry,account_code,account_name,party,debit,credit,currency,description,document")?;
            entries.iter().try_for_each(|entry| csv(entry, out))?;
        }
        Form::Hledger => entries.iter().try_for_each(|entry| hledger(entry, out))?,
        Form::Beancount => {
            if let Some(entry) = entries.iter().find(|entry| !is_commodity(&entry.asset)) {
                return Err(WriteError::Currency(entry.asset.clone()));
            }
            writeln!(out, "plugin \"beancount.plugins.auto_accounts\"\n")?;
            entries.iter().try_for_each(|entry| beancount(entry, out))?;
        }
    }
    Ok(())
}

fn csv(entry: &Entry, out: &mut (dyn Write + Send)) -> io::Result<()> {
    for (account, amount) in &entry.lines {
        let known = Account::of(account);
        let (debit, credit) = sides(*amount, &entry.asset);
        let fields = [
            entry.day.as_str(),
            entry.number.as_str(),
            known.code,
            account.as_str(),
            known.party.as_deref().unwrap_or_default(),
            debit.as_str(),
            credit.as_str(),
            entry.asset.as_str(),
            entry.description.as_str(),
            entry.document.as_deref().unwrap_or_default(),
        ];
        let field = |text: &&str| if text.is_empty() { String::new() } else { csv_field(text) };
        let fields: Vec<String> = fields.iter().map(field).collect();
        writeln!(out, "{}", fields.join(","))?;
    }
    Ok(())
}

/// Debit and credit, one of them empty.
fn sides(amount: Amount, asset: &str) -> (String, String) {
    let places = minor_units(asset);
    if amount < Amount::ZERO {
        (String::new(), amount.negated().with_places(places))
    } else {
        (amount.with_places(places), String::new())
    }
}

fn hledger(entry: &Entry, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let document = entry.document.as_ref().map_or_else(String::new, |document| format!(" ; document: {document}"));
    writeln!(out, "{} * ({}) {}{document}", entry.day, entry.number, plain(&entry.description, ';'))?;
    for (account, amount) in &entry.lines {
        let amount = amount.with_places(minor_units(&entry.asset));
        writeln!(out, "    {:<60}  {amount} \"{}\"", Account::of(account).name, entry.asset.replace('"', ""))?;
    }
    writeln!(out)
}

fn beancount(entry: &Entry, out: &mut (dyn Write + Send)) -> io::Result<()> {
    writeln!(out, "{} * \"{}\"", entry.day, plain(&entry.description, '"'))?;
    writeln!(out, "  entry: \"{}\"", entry.number)?;
    if let Some(document) = &entry.document {
        writeln!(out, "  document: \"{}\"", plain(document, '"'))?;
    }
    for (account, amount) in &entry.lines {
        let amount = amount.with_places(minor_units(&entry.asset));
        writeln!(out, "  {:<60}  {amount} {}", Account::of(account).name, entry.asset)?;
    }
    writeln!(out)
}

/// A text without what would end it.
fn plain(text: &str, end: char) -> String {
    text.chars().map(|c| if c == end || c == '\\' || c.is_control() { '_' } else { c }).collect()
}

fn is_commodity(asset: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    (2..=24).contains(&asset.len())
        && asset.bytes().all(is_letter)
        && asset.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, asset: &str) -> Result<String, WriteError> {
        let entry = Entry {
            number: "2023-11-000001".to_owned(),
            day: "2023-11-30".to_owned(),
            description: "Invoice A-1 of o\"neil; sons\\".to_owned(),
            document: Some("A-1".to_owned()),
            asset: asset.to_owned(),
            lines: vec![
                ("customer/o\"neil, sons/receivable".to_owned(), Amount::parse("1.5").unwrap()),
                ("platform/revenue".to_owned(), Amount::parse("-1.5").unwrap()),
            ],
        };
        let mut out = Vec::new();
        write(&[entry], form, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn each_form_keeps_texts_in_their_places() {
        assert_eq!(
            written(Form::Csv, "USD").unwrap(),
            "date,entry,account_code,account_name,party,debit,credit,currency,description,document\n\
             2023-11-30,2023-11-000001,1200,\"customer/o\"\"neil, sons/receivable\",\"o\"\"neil, sons\",1.50,,USD,\
             \"Invoice A-1 of o\"\"neil; sons\\\",A-1\n\
             2023-11-30,2023-11-000001,4000,platform/revenue,,,1.50,USD,\"Invoice A-1 of o\"\"neil; sons\\\",A-1\n"
        );
        let hledger = written(Form::Hledger, "USD").unwrap();
        assert!(hledger.starts_with("2023-11-30 * (2023-11-000001) Invoice A-1 of o\"neil_ sons_ ; document: A-1\n"));
        assert!(hledger.contains("    Assets:Receivable:P-o-u22-neil-u2c--u20-sons"), "{hledger}");
        let beancount = written(Form::Beancount, "USD").unwrap();
        assert!(beancount.contains("2023-11-30 * \"Invoice A-1 of o_neil; sons_\"\n"), "{beancount}");
        assert!(beancount.contains("  -1.50 USD\n"), "{beancount}");
        let refused = written(Form::Beancount, "usd").unwrap_err().to_string();
        assert!(refused.contains("use --format csv or hledger"), "{refused}");
    }
}

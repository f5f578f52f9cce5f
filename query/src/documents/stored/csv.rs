//! A document in CSV as names and values.
//!
//! Invariant: it reads what `render/csv.rs` writes; a quote that does not end
//! and a row of another length are errors with their line.

use super::{Content, StoredError};

pub(super) fn read(csv: &[u8]) -> Result<Content, StoredError> {
    let text = std::str::from_utf8(csv).map_err(|error| StoredError::Csv {
        line: csv[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1,
        problem: "it is not UTF-8 text".to_owned(),
    })?;
    let mut records = records(text.strip_prefix('\u{feff}').unwrap_or(text))?.into_iter();
    let (_, names) = records.next().ok_or(StoredError::Missing("columns"))?;
    let row = |(line, values): (usize, Vec<String>)| {
        if values.len() == names.len() {
            return Ok(names.iter().cloned().zip(values).collect());
        }
        let problem = format!("it has {} fields, the heading has {}", values.len(), names.len());
        Err(StoredError::Csv { line, problem })
    };
    Ok(Content { rows: records.map(row).collect::<Result<_, _>>()?, ..Content::default() })
}

/// The records with the lines on which they begin.
fn records(text: &str) -> Result<Vec<(usize, Vec<String>)>, StoredError> {
    let mut records = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        let begun = line;
        let mut values = Vec::new();
        loop {
            let (value, after) = field(rest, begun)?;
            line += value.matches('\n').count();
            values.push(value);
            rest = after;
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => break,
            }
        }
        rest = match rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')) {
            Some(next) => next,
            None if rest.is_empty() => rest,
            None => return Err(StoredError::Csv { line, problem: "text follows a quoted field".to_owned() }),
        };
        line += 1;
        records.push((begun, values));
    }
    Ok(records)
}

/// The first field, and what follows it.
fn field(text: &str, line: usize) -> Result<(String, &str), StoredError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', '\n', '\r']).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut rest = quoted;
    while let Some((before, after)) = rest.split_once('"') {
        value.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                value.push('"');
                rest = next;
            }
            None => return Ok((value, after)),
        }
    }
    Err(StoredError::Csv { line, problem: "a quote does not end".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::csv_field;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in prop::collection::vec(prop::collection::vec("[a,\"\n\r é]{0,9}", 3), 1..9)) {
            let line = |row: &Vec<String>| row.iter().map(|f| csv_field(f)).collect::<Vec<_>>().join(",") + "\n";
            let text: String = rows.iter().map(line).collect();
            let read: Vec<Vec<String>> = records(&text).unwrap().into_iter().map(|(_, values)| values).collect();
            prop_assert_eq!(read, rows);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
            let _ = read(text.as_bytes());
        }
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(error("a,b\n1,2\n3\n"), "line 3 of the CSV is wrong: it has 1 fields, the heading has 2");
        assert_eq!(error("a,b\n\"1,2\n3\n"), "line 2 of the CSV is wrong: a quote does not end");
        assert_eq!(error("a\n\"1\"2\n"), "line 2 of the CSV is wrong: text follows a quoted field");
    }
}

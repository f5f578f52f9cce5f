//! A document in JSON as names and values.

use serde_json::{Map, Value};

use super::{Content, Fields, StoredError};

pub(super) fn read(json: &[u8]) -> Result<Content, StoredError> {
    let value: Value = serde_json::from_slice(json).map_err(|error| StoredError::Json(error.to_string()))?;
    let Value::Object(mut document) = value else {
        return Err(StoredError::Json("it is not an object".to_owned()));
    };
    let mut rows = Vec::new();
    for name in ["lines", "unrated", "uses", "paid"] {
        match document.remove(name) {
            Some(Value::Array(lines)) => {
                for line in lines {
                    rows.push(fields(object(line, name)?));
                }
            }
            Some(_) => return Err(StoredError::Json(format!("{name} is not an array"))),
            None if name == "lines" => return Err(StoredError::Missing("lines")),
            None => {}
        }
    }
    Ok(Content { facts: fields(document), rows })
}

fn object(line: Value, name: &str) -> Result<Map<String, Value>, StoredError> {
    match line {
        Value::Object(line) => Ok(line),
        _ => Err(StoredError::Json(format!("one of the {name} is not an object"))),
    }
}

fn fields(object: Map<String, Value>) -> Fields {
    let text = |value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    object.into_iter().map(|(name, value)| (name, text(value))).collect()
}

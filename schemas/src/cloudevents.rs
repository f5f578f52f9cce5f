//! CloudEvents 1.0 in JSON, single and batch, to events and their source.
//!
//! Invariant: a batch is taken whole or refused whole, with the index of the
//! event that is wrong; nothing of a refused batch reaches the log.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::decimal::shorten;
use crate::event::{Event, EventKind, check_source};
use crate::fields::{self, FieldValue};

/// Why a body is not a CloudEvent or a batch of them.
#[derive(Debug, Error)]
pub enum CloudEventError {
    /// The body is not JSON of the right shape.
    #[error("the body is not a CloudEvent or an array of CloudEvents in JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// The body is not text.
    #[error("the body is not UTF-8: byte {0} cannot be read")]
    NotUtf8(usize),
    /// One event is wrong.
    #[error("event {index}: {problem}")]
    Event {
        /// Its position in the batch, from 0.
        index: usize,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Deserialize)]
struct CloudEvent<'a> {
    #[serde(borrow)]
    specversion: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    subject: Option<Cow<'a, str>>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    incarnation: Option<&'a RawValue>,
    #[serde(borrow)]
    sequence: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

/// The fields of `data` by name. A name that stands there twice is refused:
/// nobody can know which of the two values was meant.
struct Data<'a>(HashMap<Cow<'a, str>, &'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Data<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Data<'a>, D::Error> {
        deserializer.deserialize_map(DataVisitor)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with the event's fields as data")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Data<'de>, M::Error> {
        let mut fields = HashMap::new();
        while let Some((name, value)) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            if fields.insert(name.clone(), value).is_some() {
                return Err(M::Error::custom(format!("data has the field {:?} twice", shorten(&name))));
            }
        }
        Ok(Data(fields))
    }
}

/// Reads one event or an array of them and hands each, with its source, to
/// `each`. All are checked before the first is handed out. An event without
/// a time happened `now`.
pub fn read(
    body: &[u8],
    now: crate::time::Instant,
    mut each: impl FnMut(&str, &Event<'_>),
) -> Result<usize, CloudEventError> {
    let text = std::str::from_utf8(body).map_err(|error| CloudEventError::NotUtf8(error.valid_up_to()))?;
    let parsed: Vec<CloudEvent<'_>> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(CloudEventError::Json)?
    } else {
        vec![serde_json::from_str(text).map_err(CloudEventError::Json)?]
    };
    for (index, event) in parsed.iter().enumerate() {
        with_event(event, now, |_, _| ()).map_err(|problem| CloudEventError::Event { index, problem })?;
    }
    for (index, event) in parsed.iter().enumerate() {
        with_event(event, now, &mut each).map_err(|problem| CloudEventError::Event { index, problem })?;
    }
    Ok(parsed.len())
}

fn with_event(
    cloud: &CloudEvent<'_>,
    now: crate::time::Instant,
    each: impl FnOnce(&str, &Event<'_>),
) -> Result<(), String> {
    match cloud.specversion.as_deref() {
        Some("1.0") => {}
        Some(other) => return Err(format!("specversion {:?} is not supported, use \"1.0\"", shorten(other))),
        None => return Err("specversion is missing, use \"1.0\"".to_owned()),
    }
    let source = cloud.source.as_deref().ok_or("source is missing")?;
    check_source(Some(source.as_bytes())).map_err(|_| "source must be 1 to 256 bytes of printable text".to_owned())?;
    let kind = cloud.kind.as_deref().ok_or("type is missing")?;
    let kind = EventKind::from_name(kind.strip_prefix("stempoint.").unwrap_or(kind))
        .ok_or_else(|| format!("type {:?} is not known, use api_call, gpu_usage or heartbeat", shorten(kind)))?;
    let data = &cloud.data.as_ref().ok_or("data is missing; it is an object with the event's fields")?.0;
    check_names(kind, data)?;
    let subject_field = if kind == EventKind::Heartbeat { "node" } else { "customer" };
    let values = Values::of(cloud, data)?;
    if let (Some(subject), Some(FieldValue::Text(text))) = (cloud.subject.as_deref(), values.data(subject_field))
        && subject != text
    {
        let (subject, text) = (shorten(subject), shorten(text));
        return Err(format!(
            "subject is {subject:?} but data.{subject_field} is {text:?}; give one of them, or the same"
        ));
    }
    let event = fields::to_event(kind, |name| match name {
        "incarnation" => values.incarnation(),
        "sequence" => values.sequence(),
        "id" => cloud.id.as_deref().map_or(FieldValue::Absent, FieldValue::Text),
        "time" => cloud.time.as_deref().map_or(FieldValue::Time(now), FieldValue::Text),
        name => match values.data(name) {
            Some(value) => value,
            None if name == subject_field => cloud.subject.as_deref().map_or(FieldValue::Absent, FieldValue::Text),
            None => FieldValue::Absent,
        },
    })
    .map_err(|error| error.to_string())?;
    each(source, &event);
    Ok(())
}

/// The attributes of the envelope, which are no fields of `data`.
const BESIDE_DATA: [&str; 4] = ["id", "time", "incarnation", "sequence"];

/// Refuses a field that would otherwise be dropped without a word.
fn check_names(kind: EventKind, data: &HashMap<Cow<'_, str>, &RawValue>) -> Result<(), String> {
    let known = || fields::fields(kind).iter().map(|field| field.name).filter(|name| !BESIDE_DATA.contains(name));
    for name in data.keys().map(AsRef::as_ref) {
        if BESIDE_DATA.contains(&name) {
            return Err(format!("data has the field {name:?}, which belongs beside data, next to specversion"));
        }
        if !known().any(|field| field == name) {
            let fields = known().collect::<Vec<_>>().join(", ");
            let name = shorten(name);
            return Err(format!("data has the field {name:?}, which {} does not have; it has {fields}", kind.name()));
        }
    }
    Ok(())
}

/// The values of one event, with escaped texts unescaped once.
struct Values<'a> {
    data: HashMap<&'a str, Value<'a>>,
    incarnation: Option<Value<'a>>,
    sequence: Option<Value<'a>>,
}

enum Value<'a> {
    Text(Cow<'a, str>),
    Number(&'a str),
    Bool(bool),
}

impl<'a> Values<'a> {
    fn of(cloud: &'a CloudEvent<'a>, data: &'a HashMap<Cow<'a, str>, &'a RawValue>) -> Result<Values<'a>, String> {
        let mut values = HashMap::with_capacity(data.len());
        for (name, raw) in data {
            if let Some(value) = Value::of(name, raw.get())? {
                values.insert(name.as_ref(), value);
            }
        }
        let extension = |name, raw: Option<&'a RawValue>| match raw {
            Some(raw) => Value::of(name, raw.get()),
            None => Ok(None),
        };
        Ok(Values {
            data: values,
            incarnation: extension("incarnation", cloud.incarnation)?,
            sequence: extension("sequence", cloud.sequence)?,
        })
    }

    fn data(&self, name: &str) -> Option<FieldValue<'_>> {
        self.data.get(name).map(Value::as_field)
    }

    fn incarnation(&self) -> FieldValue<'_> {
        self.incarnation.as_ref().map_or(FieldValue::Absent, Value::as_field)
    }

    fn sequence(&self) -> FieldValue<'_> {
        self.sequence.as_ref().map_or(FieldValue::Absent, Value::as_field)
    }
}

impl<'a> Value<'a> {
    fn of(name: &str, json: &'a str) -> Result<Option<Value<'a>>, String> {
        match json.as_bytes().first() {
            Some(b'n') => Ok(None),
            Some(b't') => Ok(Some(Value::Bool(true))),
            Some(b'f') => Ok(Some(Value::Bool(false))),
            Some(b'"') => {
                let text: Cow<'a, str> = serde_json::from_str(json).map_err(|e| format!("{name}: {e}"))?;
                Ok(Some(Value::Text(text)))
            }
            Some(b'-' | b'0'..=b'9') => Ok(Some(Value::Number(json))),
            _ => Err(format!("{name} must be a text, a number or true or false")),
        }
    }

    fn as_field(&self) -> FieldValue<'_> {
        match self {
            Value::Text(text) => FieldValue::Text(text),
            Value::Number(digits) => FieldValue::Number(digits),
            Value::Bool(value) => FieldValue::Bool(*value),
        }
    }
}

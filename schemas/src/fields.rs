//! The fields of an event by name, as files and HTTP bodies carry them.
//!
//! Invariant: what bills is taken exactly or refused, never rounded; only
//! measurements that nobody is billed by (latency, temperature, …) are
//! rounded to the precision that is kept.

use thiserror::Error;

use crate::decimal;
use crate::event::{
    ApiCall, COUNT_MAX, Event, EventKind, GpuUsage, Heartbeat, Identity, NUMBER_MAX, Payload, SPAN_NS_MAX,
    TEXT_BYTES_MAX, is_plain_text,
};
use crate::time::Instant;

/// A field of an event kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    /// Its name.
    pub name: &'static str,
    /// Whether every event has it.
    pub required: bool,
}

const fn required(name: &'static str) -> FieldSpec {
    FieldSpec { name, required: true }
}

const fn optional(name: &'static str) -> FieldSpec {
    FieldSpec { name, required: false }
}

/// The fields of a kind, `id` and `time` first. A numbered source gives
/// `incarnation` and `sequence` in place of `id`.
pub const fn fields(kind: EventKind) -> &'static [FieldSpec] {
    match kind {
        EventKind::ApiCall => API_CALL,
        EventKind::GpuUsage => GPU_USAGE,
        EventKind::Heartbeat => HEARTBEAT,
    }
}

const API_CALL: &[FieldSpec] = &[
    required("id"),
    required("time"),
    required("customer"),
    required("model"),
    required("provider"),
    required("input_tokens"),
    required("output_tokens"),
    optional("cached_input_tokens"),
    optional("latency_ms"),
    optional("status"),
    optional("region"),
    optional("stream"),
    optional("incarnation"),
    optional("sequence"),
];

const GPU_USAGE: &[FieldSpec] = &[
    required("id"),
    required("time"),
    required("customer"),
    required("node"),
    required("gpu"),
    required("gpu_seconds"),
    optional("task"),
    optional("region"),
    optional("busy_seconds"),
    optional("energy_joules"),
    optional("incarnation"),
    optional("sequence"),
];

const HEARTBEAT: &[FieldSpec] = &[
    required("id"),
    required("time"),
    required("node"),
    required("status"),
    optional("gpu"),
    optional("utilisation"),
    optional("memory_used_bytes"),
    optional("temperature_celsius"),
    optional("power_watts"),
    optional("region"),
    optional("incarnation"),
    optional("sequence"),
];

/// A decimal number of so many digits survives as a 64-bit floating-point
/// number.
pub const FLOAT_DIGITS: usize = 15;

/// A field's value as the edge found it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FieldValue<'a> {
    /// The field is not there.
    Absent,
    /// Text.
    Text(&'a str),
    /// A number, as text, so that nothing is lost.
    Number(&'a str),
    /// A number that has been a floating-point number before it became this
    /// text: what has more than [`FLOAT_DIGITS`] digits may have lost some.
    Float(&'a str),
    /// True or false.
    Bool(bool),
    /// A point in time that was typed as one.
    Time(Instant),
}

/// Why the fields do not make an event.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field} {problem}")]
pub struct FieldError {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it and what to do.
    pub problem: String,
}

fn wrong<T>(field: &'static str, problem: impl Into<String>) -> Result<T, FieldError> {
    Err(FieldError { field, problem: problem.into() })
}

/// Builds an event of `kind` from the values that `get` finds by name.
pub fn to_event<'a>(kind: EventKind, get: impl Fn(&'static str) -> FieldValue<'a>) -> Result<Event<'a>, FieldError> {
    let fields = Fields { get };
    let identity = fields.identity()?;
    let time = fields.time("time")?;
    let payload = match kind {
        EventKind::ApiCall => Payload::ApiCall(ApiCall {
            customer: fields.text("customer")?,
            model: fields.text("model")?,
            provider: fields.text("provider")?,
            input_tokens: fields.count("input_tokens")?,
            output_tokens: fields.count("output_tokens")?,
            cached_input_tokens: fields.some_count("cached_input_tokens")?,
            latency_us: fields.measure("latency_ms", 3, COUNT_MAX)?,
            status: fields.some_text("status")?,
            region: fields.some_text("region")?,
            stream: fields.some_bool("stream")?,
        }),
        EventKind::GpuUsage => Payload::GpuUsage(GpuUsage {
            customer: fields.text("customer")?,
            node: fields.text("node")?,
            gpu: fields.text("gpu")?,
            gpu_ns: fields.needed("gpu_seconds", fields.exact("gpu_seconds", 9, SPAN_NS_MAX - 1)?)?,
            task: fields.some_text("task")?,
            region: fields.some_text("region")?,
            busy_ns: fields.measure("busy_seconds", 9, SPAN_NS_MAX - 1)?,
            energy_mj: fields.exact("energy_joules", 3, COUNT_MAX)?,
        }),
        EventKind::Heartbeat => Payload::Heartbeat(Heartbeat {
            node: fields.text("node")?,
            status: fields.text("status")?,
            gpu: fields.some_text("gpu")?,
            utilisation_ppm: fields.measure("utilisation", 6, 1_000_000)?,
            memory_used_bytes: fields.some_count("memory_used_bytes")?,
            temperature_mc: fields.temperature("temperature_celsius")?,
            power_mw: fields.measure("power_watts", 3, COUNT_MAX)?,
            region: fields.some_text("region")?,
        }),
    };
    Ok(Event { identity, time, payload })
}

struct Fields<F> {
    get: F,
}

impl<'a, F: Fn(&'static str) -> FieldValue<'a>> Fields<F> {
    fn needed<T>(&self, field: &'static str, value: Option<T>) -> Result<T, FieldError> {
        match value {
            Some(value) => Ok(value),
            None => wrong(field, "is missing"),
        }
    }

    fn identity(&self) -> Result<Identity<'a>, FieldError> {
        let incarnation = self.exact("incarnation", 0, NUMBER_MAX)?;
        let sequence = self.exact("sequence", 0, NUMBER_MAX)?;
        match (incarnation, sequence) {
            (None, None) => {
                let id = self.some_text("id")?;
                self.needed("id", id).map(Identity::Named)
            }
            (Some(incarnation), Some(sequence)) if sequence > 0 => Ok(Identity::Numbered { incarnation, sequence }),
            (Some(_), Some(_)) => wrong("sequence", "counts from 1"),
            (Some(_), None) => wrong("sequence", "is missing; a numbered source gives incarnation and sequence"),
            (None, Some(_)) => wrong("incarnation", "is missing; a numbered source gives incarnation and sequence"),
        }
    }

    fn time(&self, field: &'static str) -> Result<Instant, FieldError> {
        match (self.get)(field) {
            FieldValue::Time(time) => Ok(time),
            FieldValue::Text(text) => Instant::parse(text).or_else(|e| wrong(field, format!("is wrong: {e}"))),
            FieldValue::Absent => wrong(field, "is missing"),
            _ => wrong(field, "must be an RFC 3339 text or a timestamp"),
        }
    }

    fn text(&self, field: &'static str) -> Result<&'a str, FieldError> {
        self.needed(field, self.some_text(field)?)
    }

    fn some_text(&self, field: &'static str) -> Result<Option<&'a str>, FieldError> {
        let value = match (self.get)(field) {
            // A status such as 200, or an id or a name that looks like a number.
            FieldValue::Number(digits) => FieldValue::Text(digits),
            FieldValue::Float(digits) => FieldValue::Text(whole_float(field, digits)?),
            other => other,
        };
        check_text(field, value)
    }

    fn count(&self, field: &'static str) -> Result<u64, FieldError> {
        self.needed(field, self.some_count(field)?)
    }

    fn some_count(&self, field: &'static str) -> Result<Option<u64>, FieldError> {
        self.exact(field, 0, COUNT_MAX)
    }

    fn some_bool(&self, field: &'static str) -> Result<Option<bool>, FieldError> {
        match (self.get)(field) {
            FieldValue::Absent => Ok(None),
            FieldValue::Bool(value) => Ok(Some(value)),
            FieldValue::Text("true") => Ok(Some(true)),
            FieldValue::Text("false") => Ok(Some(false)),
            _ => wrong(field, "must be true or false"),
        }
    }

    /// A number that bills: exact in `scale` decimal places.
    fn exact(&self, field: &'static str, scale: u32, most: u64) -> Result<Option<u64>, FieldError> {
        let digits = match (self.get)(field) {
            FieldValue::Number(digits) | FieldValue::Text(digits) => digits,
            FieldValue::Float(digits) => whole_float(field, digits)?,
            _ => return self.absent_number(field),
        };
        match decimal::parse(digits.trim(), scale) {
            Ok(value) => within(field, value, scale, most).map(Some),
            Err(error) => wrong(field, format!("is wrong: {error}; it bills, so it is never rounded")),
        }
    }

    /// A number that nobody is billed by: rounded half away from zero.
    fn measure(&self, field: &'static str, scale: u32, most: u64) -> Result<Option<u64>, FieldError> {
        match self.rounded(field, scale)? {
            Some(value) => within(field, value, scale, most).map(Some),
            None => Ok(None),
        }
    }

    fn temperature(&self, field: &'static str) -> Result<Option<i64>, FieldError> {
        match self.rounded(field, 3)? {
            Some(value) if (-273_150..=1_000_000).contains(&value) => Ok(Some(value as i64)),
            Some(_) => wrong(field, "is not between -273.15 and 1000"),
            None => Ok(None),
        }
    }

    fn rounded(&self, field: &'static str, scale: u32) -> Result<Option<i128>, FieldError> {
        const GUARD: u32 = 18;
        let (FieldValue::Number(digits) | FieldValue::Float(digits) | FieldValue::Text(digits)) = (self.get)(field)
        else {
            return self.absent_number(field);
        };
        let mut digits = digits.trim();
        if let Some((whole, fraction)) = digits.split_once('.')
            && fraction.len() > (scale + GUARD) as usize
            && fraction.bytes().all(|b| b.is_ascii_digit())
        {
            digits = &digits[..whole.len() + 1 + (scale + GUARD) as usize];
        }
        match decimal::parse(digits, scale + GUARD) {
            Ok(fine) => {
                let unit = decimal::power_of_ten(GUARD);
                let half = if fine < 0 { -unit / 2 } else { unit / 2 };
                match fine.checked_add(half) {
                    Some(fine) => Ok(Some(fine / unit)),
                    None => wrong(field, format!("is wrong: {:?} is too large", decimal::shorten(digits))),
                }
            }
            Err(error) => wrong(field, format!("is wrong: {error}")),
        }
    }

    fn absent_number<T>(&self, field: &'static str) -> Result<Option<T>, FieldError> {
        match (self.get)(field) {
            FieldValue::Absent => Ok(None),
            _ => wrong(field, "must be a number"),
        }
    }
}

/// A floating-point number that cannot have lost any digit.
fn whole_float<'a>(field: &'static str, digits: &'a str) -> Result<&'a str, FieldError> {
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    let significant = mantissa.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit);
    let zeros = mantissa.bytes().rev().filter(|b| *b != b'.').take_while(|b| *b == b'0').count();
    if significant.count().saturating_sub(zeros) <= FLOAT_DIGITS {
        return Ok(digits);
    }
    wrong(
        field,
        format!(
            "is the floating-point number {digits}, which may have lost digits; let the file give it as text or as a decimal"
        ),
    )
}

fn check_text<'a>(field: &'static str, value: FieldValue<'a>) -> Result<Option<&'a str>, FieldError> {
    match value {
        FieldValue::Absent => Ok(None),
        FieldValue::Text(text) if is_plain_text(text.as_bytes()) => Ok(Some(text)),
        FieldValue::Text("") => wrong(field, "is empty"),
        FieldValue::Text(text) if text.len() > TEXT_BYTES_MAX => {
            wrong(field, format!("has {} bytes, {TEXT_BYTES_MAX} are allowed", text.len()))
        }
        FieldValue::Text(_) => wrong(field, "has characters that cannot be printed"),
        _ => wrong(field, "must be a text"),
    }
}

fn within(field: &'static str, value: i128, scale: u32, most: u64) -> Result<u64, FieldError> {
    match u64::try_from(value) {
        Ok(value) if value <= most => Ok(value),
        _ if value < 0 => wrong(field, format!("is negative ({})", decimal::format(value, scale))),
        _ => wrong(
            field,
            format!("is {}, at most {}", decimal::format(value, scale), decimal::format(i128::from(most), scale)),
        ),
    }
}

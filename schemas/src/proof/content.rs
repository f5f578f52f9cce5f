//! A row's values by name, for people.
//!
//! Invariant: they follow from the row's bytes alone; a proof that shows
//! others is refused.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::ProofError;
use crate::decimal;
use crate::event::{ApiCall, Event, GpuUsage, Heartbeat, Identity, Payload};

/// Names and values in the order of the table's columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Content(pub Vec<(String, Value)>);

impl Content {
    /// An event's fields, named and scaled as in its table. What is absent is
    /// left out.
    pub fn of_event(event: &Event<'_>) -> Content {
        let mut content = Content::default();
        match event.identity {
            Identity::Named(id) => content.put("id", id),
            Identity::Numbered { incarnation, sequence } => {
                content.put("incarnation", incarnation);
                content.put("sequence", sequence);
            }
        }
        content.put("time", event.time.to_string());
        match &event.payload {
            Payload::ApiCall(call) => content.api_call(call),
            Payload::GpuUsage(usage) => content.gpu_usage(usage),
            Payload::Heartbeat(beat) => content.heartbeat(beat),
        }
        content
    }

    fn api_call(&mut self, call: &ApiCall<'_>) {
        self.put("customer", call.customer);
        self.put("model", call.model);
        self.put("provider", call.provider);
        self.some("region", call.region);
        self.some("status", call.status);
        self.some("stream", call.stream);
        self.put("input_tokens", call.input_tokens);
        self.put("output_tokens", call.output_tokens);
        self.some("cached_input_tokens", call.cached_input_tokens);
        self.decimal("latency_ms", call.latency_us, 3);
    }

    fn gpu_usage(&mut self, usage: &GpuUsage<'_>) {
        self.put("customer", usage.customer);
        self.put("node", usage.node);
        self.put("gpu", usage.gpu);
        self.some("region", usage.region);
        self.some("task", usage.task);
        self.decimal("gpu_seconds", Some(usage.gpu_ns), 9);
        self.decimal("busy_seconds", usage.busy_ns, 9);
        self.decimal("energy_joules", usage.energy_mj, 3);
    }

    fn heartbeat(&mut self, beat: &Heartbeat<'_>) {
        self.put("node", beat.node);
        self.put("status", beat.status);
        self.some("gpu", beat.gpu);
        self.some("region", beat.region);
        self.decimal("utilisation", beat.utilisation_ppm, 6);
        self.some("memory_used_bytes", beat.memory_used_bytes);
        self.decimal("temperature_celsius", beat.temperature_mc, 3);
        self.decimal("power_watts", beat.power_mw, 3);
    }

    /// Adds a value.
    pub(super) fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.push((name.to_owned(), value.into()));
    }

    fn some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn decimal(&mut self, name: &str, value: Option<impl Into<i128>>, scale: u32) {
        self.some(name, value.map(|value| decimal::format(value.into(), scale)));
    }

    /// Compares what is shown with what the bytes say; names the first value
    /// that differs.
    pub(super) fn must_be(&self, expected: &Content) -> Result<(), ProofError> {
        let pairs = self.0.iter().zip(&expected.0);
        let differing = pairs.into_iter().find(|(shown, real)| shown != real).map(|(_, (name, _))| name);
        let beyond = || {
            let (longer, from) = if self.0.len() > expected.0.len() { (self, expected) } else { (expected, self) };
            longer.0.get(from.0.len()).map(|(name, _)| name)
        };
        match differing.or_else(beyond) {
            Some(name) => {
                Err(ProofError::row(&format!("content.{}", decimal::shorten(name)), "is not what row.bytes says"))
            }
            None => Ok(()),
        }
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Content, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

/// Keeps order and repetitions, so that nothing is dropped unseen.
struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Content;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with the row's values")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Content, M::Error> {
        let mut content = Content::default();
        while let Some(entry) = map.next_entry()? {
            content.0.push(entry);
        }
        Ok(content)
    }
}

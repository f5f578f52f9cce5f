//! Figures for Prometheus. Counts come from the ledger's head, so that they
//! are right after a restart too; times are measured here.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use prometheus::{Encoder, Histogram, HistogramOpts, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use stempoint_core::settlement::ControlRow;
use stempoint_ingest::fold::FoldObserver;
use stempoint_ingest::settlement::SettleObserver;
use stempoint_schemas::commit::Commit;

use crate::webhooks::WebhookMetrics;

/// All figures of one process.
pub struct Metrics {
    registry: Registry,
    lag: IntGaugeVec,
    events: IntGaugeVec,
    watermark: IntGaugeVec,
    settled: IntGaugeVec,
    version: IntGauge,
    unsettled: IntGauge,
    settlement_age: IntGauge,
    commit_seconds: Histogram,
    settle_seconds: Histogram,
    webhooks: WebhookMetrics,
    caught_up: Mutex<Option<Instant>>,
}

impl Metrics {
    /// All figures, at nothing.
    pub fn new() -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        let by_partition = |name: &str, help: &str| gauges(&registry, name, help, "partition");
        let buckets = vec![0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
        Ok(Metrics {
            lag: by_partition("stempoint_ingest_lag_records", "Records on the log that are not folded yet.")?,
            watermark: by_partition("stempoint_ingest_watermark", "Next offset to fold.")?,
            settled: by_partition("stempoint_settlement_watermark", "Next offset to settle.")?,
            events: gauges(
                &registry,
                "stempoint_events",
                "Records folded since the beginning, by outcome.",
                "outcome",
            )?,
            version: gauge(&registry, "stempoint_ledger_version", "The newest ledger version.")?,
            unsettled: gauge(&registry, "stempoint_unsettled_records", "Folded records that are not settled yet.")?,
            settlement_age: gauge(
                &registry,
                "stempoint_settlement_age_seconds",
                "For how long folded records have waited for settlement.",
            )?,
            commit_seconds: histogram(
                &registry,
                "stempoint_commit_seconds",
                "Time of one ingest commit.",
                buckets.clone(),
            )?,
            settle_seconds: histogram(
                &registry,
                "stempoint_control_event_seconds",
                "Time of one control event.",
                buckets,
            )?,
            webhooks: WebhookMetrics::new(&registry)?,
            caught_up: Mutex::new(None),
            registry,
        })
    }

    /// The figures of webhooks, for their senders.
    pub fn webhooks(&self) -> &WebhookMetrics {
        &self.webhooks
    }

    /// The text that Prometheus reads.
    pub fn render(&self, head: Option<&Commit>, ends: Option<&[u64]>) -> String {
        if let Some(head) = head {
            self.set(head, ends.unwrap_or_default());
        }
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "failed to write the metrics");
        }
        String::from_utf8(text).unwrap_or_default()
    }

    fn set(&self, head: &Commit, ends: &[u64]) {
        let (mut received, mut accepted, mut duplicate, mut rejected, mut unsettled) = (0, 0, 0, 0, 0);
        for (partition, shard) in head.shards.iter().enumerate() {
            let label = partition.to_string();
            let end = ends.get(partition).copied().unwrap_or(shard.watermark);
            self.lag.with_label_values(&[&label]).set(signed(end.saturating_sub(shard.watermark)));
            self.watermark.with_label_values(&[&label]).set(signed(shard.watermark));
            self.settled.with_label_values(&[&label]).set(signed(shard.settled));
            received += shard.counts.received;
            accepted += shard.counts.accepted;
            duplicate += shard.counts.duplicate;
            rejected += shard.counts.rejected;
            unsettled += shard.watermark.saturating_sub(shard.settled);
        }
        for (outcome, count) in
            [("received", received), ("accepted", accepted), ("duplicate", duplicate), ("rejected", rejected)]
        {
            self.events.with_label_values(&[outcome]).set(signed(count));
        }
        self.version.set(head.version);
        self.unsettled.set(signed(unsettled));
        self.settlement_age.set(self.age(unsettled));
    }

    /// Seconds since this process first saw records that wait.
    fn age(&self, unsettled: u64) -> i64 {
        let mut since = self.caught_up.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if unsettled == 0 {
            *since = None;
            return 0;
        }
        signed(since.get_or_insert_with(Instant::now).elapsed().as_secs())
    }
}

impl FoldObserver for Metrics {
    fn committed(&self, _head: &Commit, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
    }
}

impl SettleObserver for Metrics {
    fn handled(&self, control: &ControlRow, rows: u64, busy: Duration) {
        self.settle_seconds.observe(busy.as_secs_f64());
        if rows > 0 {
            // What waits from now on has waited since now at most.
            let mut since = self.caught_up.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *since = Some(Instant::now());
        }
        tracing::debug!(
            offset = control.offset,
            kind = control.kind,
            answer = control.answer.name(),
            rows,
            "handled a control event"
        );
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

fn gauges(registry: &Registry, name: &str, help: &str, label: &str) -> Result<IntGaugeVec, prometheus::Error> {
    let gauges = IntGaugeVec::new(Opts::new(name, help), &[label])?;
    registry.register(Box::new(gauges.clone()))?;
    Ok(gauges)
}

fn histogram(registry: &Registry, name: &str, help: &str, buckets: Vec<f64>) -> Result<Histogram, prometheus::Error> {
    let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
    registry.register(Box::new(histogram.clone()))?;
    Ok(histogram)
}

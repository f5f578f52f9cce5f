//! A log of which a process sees only so much, so that a test decides where
//! it cuts its batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stempoint_ingest::log::{Batch, EventLog, Limits, LogError, PartitionReader, Receipt, RecordRef, Topic};
use stempoint_schemas::watermark::Watermarks;

/// A log whose usage partitions end for its readers where the test says.
pub struct View {
    log: Arc<dyn EventLog>,
    shown: Arc<Vec<AtomicU64>>,
}

impl View {
    /// A view that ends at these offsets.
    pub fn new(log: &Arc<dyn EventLog>, shown: &Watermarks) -> Arc<View> {
        let shown = (0..log.partitions(Topic::Usage)).map(|partition| AtomicU64::new(shown.get(partition))).collect();
        Arc::new(View { log: Arc::clone(log), shown: Arc::new(shown) })
    }

    /// Shows more.
    pub fn show(&self, to: &Watermarks) {
        for (partition, shown) in self.shown.iter().enumerate() {
            shown.fetch_max(to.get(partition as u32), Ordering::SeqCst);
        }
    }
}

impl EventLog for View {
    fn partitions(&self, topic: Topic) -> u32 {
        self.log.partitions(topic)
    }

    fn submit(&self, topic: Topic, batch: Batch) -> Receipt {
        self.log.submit(topic, batch)
    }

    fn ends(&self, topic: Topic) -> Result<Vec<u64>, LogError> {
        self.log.ends(topic)
    }

    fn starts(&self, topic: Topic) -> Result<Vec<u64>, LogError> {
        self.log.starts(topic)
    }

    fn reader(&self, topic: Topic, partition: u32, from: u64) -> Result<Box<dyn PartitionReader>, LogError> {
        let inner = self.log.reader(topic, partition, from)?;
        let shown = (topic == Topic::Usage).then(|| Arc::clone(&self.shown));
        Ok(Box::new(Reader { inner, partition: partition as usize, shown }))
    }

    fn trim(&self, topic: Topic, partition: u32, below: u64) -> Result<(), LogError> {
        self.log.trim(topic, partition, below)
    }
}

struct Reader {
    inner: Box<dyn PartitionReader>,
    partition: usize,
    shown: Option<Arc<Vec<AtomicU64>>>,
}

impl PartitionReader for Reader {
    fn poll(&mut self, limits: Limits, wait: Duration, each: &mut dyn FnMut(RecordRef<'_>)) -> Result<u64, LogError> {
        let Some(shown) = &self.shown else { return self.inner.poll(limits, wait, each) };
        let left = shown[self.partition].load(Ordering::SeqCst).saturating_sub(self.inner.position());
        if left == 0 {
            // As long as a log without new records would keep its reader.
            std::thread::sleep(wait.min(Duration::from_millis(1)));
            return Ok(self.inner.position());
        }
        // Offsets without a record do not occur here, so records are offsets.
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        self.inner.poll(Limits { records_max: limits.records_max.min(left), ..limits }, wait, each)
    }

    fn position(&self) -> u64 {
        self.inner.position()
    }
}

//! Random operations on the embedded log, compared with a simple model.

use proptest::prelude::*;
use stempoint_ingest::log::{EventLog, LogError, Topic, partition_of};

use crate::embedded::EmbeddedFixture;
use crate::support::{Fixture, append, read_all};

const PARTITIONS: u32 = EmbeddedFixture::PARTITIONS;

#[derive(Debug, Clone)]
enum Operation {
    /// Appends as many records of about as many bytes.
    Append {
        records: usize,
        bytes: usize,
    },
    Gap {
        partition: u32,
        unused: u64,
    },
    /// Trims a partition by a share of what it holds.
    Trim {
        partition: u32,
        share: f64,
    },
    /// Reads a partition from somewhere in it.
    Read {
        partition: u32,
        share: f64,
    },
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    let partition = 0..PARTITIONS;
    prop_oneof![
        4 => (0..60_usize, 0..3_000_usize).prop_map(|(records, bytes)| Operation::Append { records, bytes }),
        1 => (partition.clone(), 1..5_u64).prop_map(|(partition, unused)| Operation::Gap { partition, unused }),
        1 => (partition.clone(), 0.0..=1.0).prop_map(|(partition, share)| Operation::Trim { partition, share }),
        2 => (partition, 0.0..=1.0).prop_map(|(partition, share)| Operation::Read { partition, share }),
        1 => Just(Operation::Reopen),
    ]
}

#[derive(Default)]
struct Partition {
    start: u64,
    end: u64,
    /// Offset, key and value.
    records: Vec<(u64, Vec<u8>, Vec<u8>)>,
}

impl Partition {
    fn at(&self, share: f64) -> u64 {
        self.start + ((self.end - self.start) as f64 * share) as u64
    }

    fn from(&self, offset: u64) -> &[(u64, Vec<u8>, Vec<u8>)] {
        let first = self.records.partition_point(|record| record.0 < offset);
        &self.records[first..]
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_embedded_log_does_what_the_model_does(operations in prop::collection::vec(operation(), 1..40)) {
        let fixture = EmbeddedFixture::new();
        let mut log = fixture.open();
        let mut model: Vec<Partition> = Vec::new();
        model.resize_with(PARTITIONS as usize, Default::default);
        let mut number = 0_u64;
        for operation in operations {
            match operation {
                Operation::Append { records, bytes } => {
                    let records: Vec<(Vec<u8>, Vec<u8>)> = (0..records).map(|_| {
                        number += 1;
                        let mut value = number.to_le_bytes().to_vec();
                        value.resize(8 + bytes, number as u8);
                        (format!("source/{}", number % 7).into_bytes(), value)
                    }).collect();
                    let positions = append(&log, records.iter().cloned());
                    for (position, (key, value)) in positions.into_iter().zip(records) {
                        let expected = partition_of(&key, PARTITIONS);
                        let partition = &mut model[expected as usize];
                        prop_assert_eq!((position.partition, position.offset), (expected, partition.end));
                        partition.records.push((partition.end, key, value));
                        partition.end += 1;
                    }
                }
                Operation::Gap { partition, unused } => {
                    log.leave_gap(Topic::Usage, partition, unused).unwrap();
                    model[partition as usize].end += unused;
                }
                Operation::Trim { partition, share } => {
                    let trimmed = &mut model[partition as usize];
                    trimmed.start = trimmed.at(share);
                    trimmed.records = trimmed.from(trimmed.start).to_vec();
                    log.trim(Topic::Usage, partition, trimmed.start).unwrap();
                }
                Operation::Read { partition, share } => {
                    let expected = &model[partition as usize];
                    let from = expected.at(share);
                    let read: Vec<_> = read_all(&log, Topic::Usage, partition, from)
                        .into_iter()
                        .map(|record| (record.offset, record.key.unwrap(), record.value))
                        .collect();
                    prop_assert!(read == expected.from(from), "partition {} from {} differs", partition, from);
                }
                Operation::Reopen => {
                    drop(log);
                    log = fixture.open();
                }
            }
            let bounds = |of: fn(&Partition) -> u64| model.iter().map(of).collect::<Vec<_>>();
            prop_assert_eq!(log.ends(Topic::Usage).unwrap(), bounds(|p| p.end));
            prop_assert_eq!(log.starts(Topic::Usage).unwrap(), bounds(|p| p.start));
        }
        for (number, partition) in (0..).zip(&model) {
            if partition.start > 0 {
                let refused = log.reader(Topic::Usage, number, partition.start - 1).err();
                let is_trimmed = matches!(refused, Some(LogError::Trimmed { .. }));
                prop_assert!(is_trimmed);
            }
        }
    }
}

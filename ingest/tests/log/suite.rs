//! What every event log promises. Each function gets an empty log.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use stempoint_ingest::log::{
    BATCH_BYTES_MAX, Batch, EventLog, Limits, LogError, RECORD_BYTES_MAX, Topic, partition_of,
};

use crate::support::{EVERYTHING, Fixture, Read, append, batch, key_of, poll, read_all, read_to, seed};

/// Offset, key and value of a record.
type Numbered = (u64, Vec<u8>, Vec<u8>);

const NOW: Duration = Duration::ZERO;

/// Each record is read where its receipt said, in its key's partition, once,
/// and a key's records in the order in which they were sent.
pub fn positions_are_where_records_are_read<F: Fixture>(fixture: &F) {
    let mut random = fastrand::Rng::with_seed(seed());
    let log = fixture.open();
    let mut expected: Vec<Vec<Numbered>> = vec![Vec::new(); F::PARTITIONS as usize];
    for _ in 0..60 {
        let records: Vec<(String, Vec<u8>)> = (0..random.usize(0..200))
            .map(|_| {
                let key = format!("source/{}", random.u32(0..20));
                let value = (0..random.usize(0..400)).map(|_| random.u8(..)).collect();
                (key, value)
            })
            .collect();
        let positions = append(&log, records.iter().cloned());
        assert_eq!(positions.len(), records.len());
        for (position, (key, value)) in positions.into_iter().zip(records) {
            assert_eq!(position.partition, partition_of(key.as_bytes(), F::PARTITIONS));
            expected[position.partition as usize].push((position.offset, key.into(), value));
        }
    }
    let ends = log.ends(Topic::Usage).unwrap();
    assert_eq!(log.starts(Topic::Usage).unwrap(), vec![0; ends.len()]);
    for (partition, expected) in (0..).zip(expected) {
        // Sent one after the other, so the order is the receipts' order.
        assert!(expected.is_sorted_by(|a, b| a.0 < b.0));
        let read = read_all(&log, Topic::Usage, partition, 0);
        let read: Vec<_> = read.into_iter().map(|record| (record.offset, record.key.unwrap(), record.value)).collect();
        assert!(read == expected, "partition {partition} differs");
        assert!(ends[partition as usize] > expected.last().unwrap().0);
    }
}

/// Many threads submit at once: nothing is lost or doubled, and each key keeps
/// its order although several batches of it are on the way.
pub fn concurrent_submitters_keep_the_order_of_their_keys<F: Fixture>(fixture: &F) {
    const THREADS: u64 = 6;
    const BATCHES: u64 = 40;
    const RECORDS: u64 = 25;
    let log = fixture.open();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                let receipts: Vec<_> = (0..BATCHES)
                    .map(|number| {
                        let key = format!("thread/{thread}");
                        let numbers = number * RECORDS..(number + 1) * RECORDS;
                        let records = numbers.map(|n| (key.clone(), n.to_le_bytes()));
                        log.submit(Topic::Usage, batch(records))
                    })
                    .collect();
                for receipt in receipts {
                    assert_eq!(receipt.wait().unwrap().len() as u64, RECORDS);
                }
            });
        }
    });
    let mut seen: HashMap<Vec<u8>, Vec<u64>> = HashMap::new();
    for partition in 0..F::PARTITIONS {
        for record in read_all(&log, Topic::Usage, partition, 0) {
            let number = u64::from_le_bytes(record.value.try_into().unwrap());
            seen.entry(record.key.unwrap()).or_default().push(number);
        }
    }
    assert_eq!(seen.len() as u64, THREADS);
    for (key, numbers) in seen {
        let all: Vec<u64> = (0..BATCHES * RECORDS).collect();
        assert_eq!(numbers, all, "key {}", String::from_utf8_lossy(&key));
    }
}

/// The control topic has one partition, in the order of the submits.
pub fn control_is_one_partition<F: Fixture>(fixture: &F) {
    let log = fixture.open();
    assert_eq!(log.partitions(Topic::Control), 1);
    assert_eq!(log.partitions(Topic::Usage), F::PARTITIONS);
    for number in 0..20_u8 {
        let record = [(format!("admin/{number}"), [number])];
        let positions = log.submit(Topic::Control, batch(record)).wait().unwrap();
        assert_eq!(positions[0].partition, 0);
    }
    let values: Vec<_> = read_all(&log, Topic::Control, 0, 0).into_iter().flat_map(|record| record.value).collect();
    assert_eq!(values, (0..20).collect::<Vec<u8>>());
    assert!(read_all(&log, Topic::Usage, 0, 0).is_empty());
}

/// The largest record passes; one byte more, or too large a batch, is refused
/// before anything is written.
pub fn large_records_pass_and_larger_ones_are_refused<F: Fixture>(fixture: &F) {
    let log = fixture.open();
    let key = key_of(1, F::PARTITIONS);
    // Hardly compressible, as a stranger's bytes may be.
    let mut random = fastrand::Rng::with_seed(7);
    let mut value: Vec<u8> = (0..RECORD_BYTES_MAX - key.len()).map(|_| random.u8(..)).collect();
    let positions = append(&log, [(key.as_str(), b"before".as_slice()), (&key, &value), (&key, b"after")]);
    assert!(positions.is_sorted_by(|a, b| a.offset < b.offset));
    let read = read_all(&log, Topic::Usage, 1, 0);
    assert_eq!(read.len(), 3);
    assert!(read[1].value == value, "the large record differs");
    assert_eq!(read[2].value, b"after");

    // It comes alone when the limit is smaller than it.
    let mut reader = log.reader(Topic::Usage, 1, positions[1].offset).unwrap();
    let limits = Limits { records_max: 10, bytes_max: 1000 };
    let read = poll(reader.as_mut(), limits, fixture.patience()).unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].value.len(), value.len());

    let ends = log.ends(Topic::Usage).unwrap();
    value.push(0);
    let records = [(key.as_str(), b"small".as_slice()), (&key, &value)];
    let refused = log.submit(Topic::Usage, batch(records)).wait();
    assert!(matches!(refused, Err(LogError::RecordTooLarge { index: 1, bytes, max }) if bytes == max + 1));
    value.truncate(RECORD_BYTES_MAX / 2);
    let mut batch = Batch::new();
    while batch.bytes() <= BATCH_BYTES_MAX {
        batch.push(b"", &value);
    }
    let refused = log.submit(Topic::Usage, batch).wait();
    assert!(matches!(refused, Err(LogError::BatchTooLarge { .. })));
    assert_eq!(log.ends(Topic::Usage).unwrap(), ends);
}

/// Empty keys, empty values and empty batches are nothing special.
pub fn empty_is_nothing_special<F: Fixture>(fixture: &F) {
    let log = fixture.open();
    let nothing: [(&str, &str); 0] = [];
    assert!(append(&log, nothing).is_empty());
    let positions = append(&log, [("", ""), ("", "x"), ("key", "")]);
    for (position, (key, value)) in positions.iter().zip([("", ""), ("", "x"), ("key", "")]) {
        let read = read_all(&log, Topic::Usage, position.partition, position.offset);
        assert_eq!(read[0].offset, position.offset);
        assert_eq!(read[0].key.as_deref(), Some(key.as_bytes()));
        assert_eq!(read[0].value, value.as_bytes());
    }
}

/// What was acknowledged is there when the log is opened again, and new
/// records follow it.
pub fn a_log_that_is_opened_again_goes_on<F: Fixture>(fixture: &F) {
    let key = key_of(2, F::PARTITIONS);
    let mut expected = Vec::new();
    let mut last_time_us = 0;
    for round in 0..4_u8 {
        let log = fixture.open();
        let records = (0..50_u8).map(|number| (key.clone(), [round, number]));
        for position in append(&log, records.clone()) {
            expected.push(position.offset);
        }
        let read = read_all(&log, Topic::Usage, 2, 0);
        let offsets: Vec<u64> = read.iter().map(|record| record.offset).collect();
        assert_eq!(offsets, expected);
        assert!(expected.is_sorted_by(|a, b| a < b));
        // From the middle.
        let from = expected[expected.len() / 2];
        let half = read_all(&log, Topic::Usage, 2, from);
        assert_eq!(half, read[expected.len() / 2..]);
        // Record times do not go back, not even over a restart.
        assert!(read.is_sorted_by_key(|record| record.time_us));
        assert!(read.last().unwrap().time_us >= last_time_us);
        last_time_us = read.last().unwrap().time_us;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let age_us = now.as_micros() as i64 - last_time_us;
    assert!((-1_000_000..60_000_000).contains(&age_us), "{age_us}");
}

/// Offsets without a record are passed over, between records and at the end,
/// and reading may begin among them.
pub fn gaps_are_passed_over<F: Fixture>(fixture: &F) {
    let log = fixture.open();
    let key = key_of(0, F::PARTITIONS);
    let first = append(&log, [(&key, "1"), (&key, "2")]);
    fixture.leave_gap(&log, 0);
    let gap = first[1].offset + 1;
    assert!(log.ends(Topic::Usage).unwrap()[0] > gap, "no gap was left");
    // At the end of the partition.
    let mut reader = log.reader(Topic::Usage, 0, 0).unwrap();
    let end = log.ends(Topic::Usage).unwrap()[0];
    assert_eq!(read_to(reader.as_mut(), end).len(), 2);
    // Between records.
    let third = append(&log, [(&key, "3")]);
    assert!(third[0].offset >= end);
    fixture.leave_gap(&log, 0);
    fixture.leave_gap(&log, 0);
    let last = append(&log, [(&key, "4")]);
    let end = log.ends(Topic::Usage).unwrap()[0];
    let read = read_to(reader.as_mut(), end);
    let found: Vec<_> = read.iter().map(|record| record.offset).collect();
    assert_eq!(found, [third[0].offset, last[0].offset]);
    // From within a gap.
    let read = read_all(&log, Topic::Usage, 0, gap);
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].value, b"3");
    // And when the log is opened again with a gap at its end.
    fixture.leave_gap(&log, 0);
    let end = log.ends(Topic::Usage).unwrap()[0];
    drop((reader, log));
    let log = fixture.open();
    assert_eq!(log.ends(Topic::Usage).unwrap()[0], end);
    assert_eq!(read_all(&log, Topic::Usage, 0, 0).len(), 4);
    assert_eq!(read_all(&log, Topic::Usage, 0, end).len(), 0);
    assert!(append(&log, [(&key, "5")])[0].offset >= end);
}

/// Trimmed records are gone for ever, the others stay where they are, and
/// offsets are never given again.
pub fn trimming_gives_up_what_is_below<F: Fixture>(fixture: &F) {
    let log = fixture.open();
    let key = key_of(1, F::PARTITIONS);
    let offsets: Vec<u64> = (0..10)
        .flat_map(|round| append(&log, (0..10).map(|n| (&key, format!("{round}/{n}")))))
        .map(|position| position.offset)
        .collect();
    let below = offsets[37];
    log.trim(Topic::Usage, 1, below).unwrap();
    let check = |log: &F::Log| {
        assert_eq!(log.starts(Topic::Usage).unwrap()[1], below);
        let read = read_all(log, Topic::Usage, 1, below);
        let read: Vec<u64> = read.iter().map(|record| record.offset).collect();
        assert_eq!(read, offsets[37..]);
        let refused = log.reader(Topic::Usage, 1, below - 1).err().unwrap();
        assert!(matches!(refused, LogError::Trimmed { from, start, .. } if from == below - 1 && start == below));
    };
    check(&log);
    // What is trimmed already stays so, and what is not there cannot be.
    log.trim(Topic::Usage, 1, below - 5).unwrap();
    log.trim(Topic::Usage, 1, below).unwrap();
    let end = log.ends(Topic::Usage).unwrap()[1];
    let refused = log.trim(Topic::Usage, 1, end + 1);
    assert!(matches!(refused, Err(LogError::BeyondEnd { offset, .. }) if offset == end + 1));
    check(&log);
    drop(log);
    let log = fixture.open();
    check(&log);
    // All of it: the next record still gets a new offset.
    log.trim(Topic::Usage, 1, end).unwrap();
    drop(log);
    let log = fixture.open();
    assert_eq!(log.starts(Topic::Usage).unwrap()[1], end);
    assert_eq!(log.ends(Topic::Usage).unwrap()[1], end);
    assert!(read_all(&log, Topic::Usage, 1, end).is_empty());
    assert!(append(&log, [(&key, "new")])[0].offset >= end);
    assert_eq!(read_all(&log, Topic::Usage, 1, end).len(), 1);
    // Other partitions are as they were.
    assert_eq!(log.starts(Topic::Usage).unwrap()[0], 0);
}

/// Offsets and partitions that do not exist are refused by name.
pub fn what_does_not_exist_is_refused<F: Fixture>(fixture: &F) {
    let log = fixture.open();
    append(&log, [(key_of(0, F::PARTITIONS), "x")]);
    let end = log.ends(Topic::Usage).unwrap()[0];
    let refused = log.reader(Topic::Usage, 0, end + 3).err().unwrap();
    assert!(
        matches!(&refused, LogError::BeyondEnd { partition: 0, offset, end: found, .. } if *offset == end + 3 && *found == end)
    );
    assert!(refused.to_string().contains("3 offset(s)"), "must say how much is lost: {refused}");
    let partition = F::PARTITIONS;
    let refused = log.reader(Topic::Usage, partition, 0).err().unwrap();
    assert!(matches!(refused, LogError::UnknownPartition { .. }));
    let refused = log.trim(Topic::Control, 1, 0).unwrap_err();
    assert!(matches!(refused, LogError::UnknownPartition { .. }));
    // The end itself may be read from.
    assert!(log.reader(Topic::Usage, 0, end).is_ok());
}

/// A poll lends no more than it may, and at least one record.
pub fn polls_keep_their_limits<F: Fixture>(fixture: &F) {
    let log = fixture.open();
    let key = key_of(0, F::PARTITIONS);
    append(&log, (0..100_u8).map(|number| (&key, [number; 100])));
    let size = key.len() + 100;
    for (limits, expected) in [((7, usize::MAX), 7), ((100, size * 3), 3), ((100, 1), 1)] {
        let limits = Limits { records_max: limits.0, bytes_max: limits.1 };
        let mut reader = log.reader(Topic::Usage, 0, 0).unwrap();
        // The first poll may find less on Kafka, whose client fetches in the
        // background, but never more.
        let mut read: Vec<Read> = Vec::new();
        let deadline = Instant::now() + fixture.patience();
        while read.len() < 100 {
            assert!(Instant::now() < deadline);
            let part = poll(reader.as_mut(), limits, Duration::from_millis(500)).unwrap();
            assert!(part.len() <= expected, "{} > {expected}", part.len());
            read.extend(part);
        }
        assert!(read.iter().enumerate().all(|(n, r)| r.value[0] == n as u8));
    }
    let none = Limits { records_max: 0, bytes_max: 100 };
    let mut reader = log.reader(Topic::Usage, 0, 0).unwrap();
    assert!(poll(reader.as_mut(), none, NOW).unwrap().is_empty());
    assert_eq!(reader.position(), 0);
}

/// A reader that waits is woken by a record, and one that waits in vain gives
/// up in time.
pub fn a_waiting_reader_is_woken<F: Fixture>(fixture: &F) {
    let log = fixture.open();
    let key = key_of(0, F::PARTITIONS);
    let mut reader = log.reader(Topic::Usage, 0, 0).unwrap();
    let started = Instant::now();
    let wait = Duration::from_millis(300);
    assert!(poll(reader.as_mut(), EVERYTHING, wait).unwrap().is_empty());
    assert!(started.elapsed() >= wait);
    assert!(started.elapsed() < fixture.patience());
    std::thread::scope(|scope| {
        scope.spawn(|| append(&log, [(&key, "wake")]));
        let started = Instant::now();
        let read = poll(reader.as_mut(), EVERYTHING, fixture.patience()).unwrap();
        assert_eq!(read.len(), 1);
        assert!(started.elapsed() < fixture.patience() / 2);
    });
}

/// Readers follow a writer and never see what is not durable; several readers
/// of one partition see the same.
pub fn readers_stay_below_the_durable_end<F: Fixture>(fixture: &F) {
    const RECORDS: u64 = 3_000;
    let log = fixture.open();
    let key = key_of(0, F::PARTITIONS);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..RECORDS / 10 {
                let records = (number * 10..(number + 1) * 10).map(|n| (&key, n.to_le_bytes()));
                append(&log, records);
            }
            is_done.store(true, Ordering::Release);
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut reader = log.reader(Topic::Usage, 0, 0).unwrap();
                let mut expected = 0_u64;
                let deadline = Instant::now() + fixture.patience();
                while expected < RECORDS {
                    assert!(Instant::now() < deadline, "stuck at {expected}");
                    let wait = Duration::from_millis(100);
                    let read = poll(reader.as_mut(), EVERYTHING, wait).unwrap();
                    let end = log.ends(Topic::Usage).unwrap()[0];
                    for record in read {
                        assert!(record.offset < end);
                        let number = u64::from_le_bytes(record.value.try_into().unwrap());
                        assert_eq!(number, expected);
                        expected += 1;
                    }
                }
            });
        }
    });
    assert!(is_done.load(Ordering::Acquire));
}

/// A receipt can be awaited.
pub fn receipts_are_futures<F: Fixture>(fixture: &F) {
    let log = fixture.open();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let positions = runtime.block_on(async {
        let first = log.submit(Topic::Usage, batch([("a", "1")]));
        let second = log.submit(Topic::Usage, batch([("a", "2")]));
        (first.await.unwrap(), second.await.unwrap())
    });
    assert!(positions.0[0] < positions.1[0]);
}

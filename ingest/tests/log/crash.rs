//! Kills a process that appends, again and again, and looks for what it was
//! promised.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use stempoint_ingest::log::embedded::EmbeddedLog;
use stempoint_ingest::log::kafka::{KafkaLog, KafkaOptions};
use stempoint_ingest::log::{EventLog, Receipt, Topic};

use crate::embedded::small_options;
use crate::support::{Fixture, batch, read_all, seed};

const CHILD: &str = "STEMPOINT_LOG_CHILD";
const CHILD_FROM: &str = "STEMPOINT_LOG_CHILD_FROM";
const SOURCES: u64 = 5;

/// Where the child appends to.
pub enum Target<'a> {
    Folder(&'a Path),
    Kafka { brokers: &'a str, prefix: &'a str },
}

/// Everything that was acknowledged before a SIGKILL is there after it, once,
/// in order.
pub fn survives_sigkill<F: Fixture>(fixture: &F, target: &Target<'_>, rounds: u32) {
    let mut random = fastrand::Rng::with_seed(seed());
    let mut next = 0;
    let mut acknowledged = 0;
    for _ in 0..rounds {
        let acks = random.usize(1..60);
        let (acked, sent) = run_child(target, next, acks);
        acknowledged += acked.len();
        let found = find_numbers(&fixture.open());
        for number in acked {
            assert_eq!(found.get(&number), Some(&1), "record {number} was acknowledged; how often it was found");
        }
        // The child's numbers are never used again.
        next = sent.max(found.keys().max().map_or(0, |max| max + 1));
    }
    assert!(acknowledged > 0);
}

/// Starts a child that appends records from `from` on, kills it after some
/// acknowledgements, and gives the acknowledged numbers and a number above all
/// that it can have sent.
fn run_child(target: &Target<'_>, from: u64, acks: usize) -> (Vec<u64>, u64) {
    let target = match target {
        Target::Folder(folder) => format!("folder {}", folder.display()),
        Target::Kafka { brokers, prefix } => format!("kafka {brokers} {prefix}"),
    };
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_that_appends", "--nocapture"])
        .env(CHILD, target)
        .env(CHILD_FROM, from.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acked = Vec::new();
    let mut take = |line: String| {
        let numbers = line.strip_prefix("ack ")?;
        let (first, end) = numbers.split_once(' ')?;
        acked.extend(first.parse::<u64>().ok()?..end.parse::<u64>().ok()?);
        Some(())
    };
    let mut seen = 0;
    while seen < acks {
        let line = lines.next().expect("the child ended by itself").unwrap();
        seen += usize::from(take(line).is_some());
    }
    child.kill().unwrap();
    // What it acknowledged while we decided counts too. Its last line may be
    // cut off in the middle.
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let cut = rest.len().saturating_sub(1);
    rest.into_iter().take(cut).for_each(|line| {
        take(line);
    });
    child.wait().unwrap();
    let sent = acked.iter().max().map_or(from, |max| max + 1_000_000);
    (acked, sent)
}

/// How often each number was found; also checks each source's order.
fn find_numbers(log: &dyn EventLog) -> HashMap<u64, u32> {
    let mut found = HashMap::new();
    for partition in 0..log.partitions(Topic::Usage) {
        let mut last: HashMap<Vec<u8>, u64> = HashMap::new();
        for record in read_all(log, Topic::Usage, partition, 0) {
            let (number, filler) = record.value.split_first_chunk::<8>().unwrap();
            let number = u64::from_le_bytes(*number);
            assert!(filler.iter().all(|&byte| byte == number as u8));
            *found.entry(number).or_insert(0) += 1;
            if let Some(before) = last.insert(record.key.unwrap(), number) {
                assert!(before < number, "{before} before {number}");
            }
        }
    }
    found
}

/// Not a test of its own: what [`survives_sigkill`] kills.
#[test]
fn child_that_appends() {
    let Ok(target) = std::env::var(CHILD) else {
        return;
    };
    let from: u64 = std::env::var(CHILD_FROM).unwrap().parse().unwrap();
    let log: Box<dyn EventLog> = match target.split(' ').collect::<Vec<_>>()[..] {
        ["folder", folder] => Box::new(EmbeddedLog::open(Path::new(folder), small_options()).unwrap()),
        ["kafka", brokers, prefix] => {
            let options = KafkaOptions {
                topic_prefix: prefix.to_owned(),
                usage_partitions: crate::kafka::KafkaFixture::PARTITIONS,
                ..KafkaOptions::default()
            };
            Box::new(KafkaLog::connect(brokers, options).unwrap())
        }
        _ => panic!("unknown target {target}"),
    };
    let mut random = fastrand::Rng::new();
    let mut waiting: VecDeque<(u64, u64, Receipt)> = VecDeque::new();
    let mut next = from;
    // The parent ends this; the bound is for a parent that died.
    while next < from + 900_000 {
        let end = next + random.u64(1..200);
        let records = (next..end).map(|number| {
            let key = format!("source/{}", number % SOURCES);
            let mut value = number.to_le_bytes().to_vec();
            value.resize(8 + random.usize(0..300), number as u8);
            (key, value)
        });
        waiting.push_back((next, end, log.submit(Topic::Usage, batch(records))));
        next = end;
        if waiting.len() >= 5
            && let Some((first, end, receipt)) = waiting.pop_front()
        {
            receipt.wait().unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "ack {first} {end}").unwrap();
            out.flush().unwrap();
        }
    }
}

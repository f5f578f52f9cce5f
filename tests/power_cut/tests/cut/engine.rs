//! The storage engine under the event log, and many threads at once.

use std::io::{BufRead, BufReader};
use std::path::Path;

use fjall::{Database, KeyspaceCreateOptions};
use stempoint_power_cut::Mode;

use crate::programs::{DURABLE, THREADS, WRITES, churned};
use crate::stage::{Stage, kill_when_ready};

/// How many keys with each beginning the engine finds.
fn keys(root: &Path) -> (usize, usize) {
    let db = Database::builder(root.join("db")).open().expect("the database opens after a power cut");
    let keys = db.keyspace("keys", KeyspaceCreateOptions::default).expect("the keyspace");
    let synced = keys.prefix("synced").filter(|_| true).count();
    (synced, keys.prefix("unsynced").count())
}

#[test]
fn the_engine_keeps_what_it_persisted_and_loses_the_rest() {
    let Some(mut stage) = Stage::new("the_engine_keeps_what_it_persisted_and_loses_the_rest") else { return };
    kill_when_ready(stage.program("engine", ""));
    let report = stage.cut(Mode::DropAll);
    assert!(report.lost_bytes() > 10_000, "the unsynced part of the engine's journal: {report}");
    assert_eq!(keys(stage.root()), (1_000, 0), "{report}");
}

#[test]
fn a_kill_without_a_cut_loses_nothing() {
    let Some(mut stage) = Stage::new("a_kill_without_a_cut_loses_nothing") else { return };
    kill_when_ready(stage.program("engine", ""));
    stage.power.reset().expect("a reset");
    assert_eq!(keys(stage.root()), (1_000, 1_000));
}

#[test]
fn the_engine_opens_whatever_a_random_cut_left() {
    for seed in 0..10 {
        let Some(mut stage) = Stage::new("the_engine_opens_whatever_a_random_cut_left") else { return };
        kill_when_ready(stage.program("engine", ""));
        let report = stage.cut(Mode::Random { seed });
        assert_eq!(keys(stage.root()).0, 1_000, "{report}");
    }
}

/// Runs the program `churn` until so many syncs are confirmed, kills it, and gives the last confirmed number.
fn churn_until(stage: &Stage, first: u64, confirmations: usize) -> u64 {
    let mut program = stage.program("churn", &first.to_string());
    let output = BufReader::new(program.stdout.take().expect("its output"));
    let lines = output.lines().map_while(Result::ok);
    let mut numbers = lines.filter_map(|line| line.strip_prefix(DURABLE)?.parse().ok());
    let last = numbers.nth(confirmations);
    program.kill().expect("it can be killed");
    program.wait().expect("it ends");
    // What it had confirmed before it died counts too.
    numbers.last().or(last).expect("the program confirmed nothing")
}

#[test]
fn the_engine_keeps_all_that_it_confirmed_through_many_cuts() {
    let Some(mut stage) = Stage::new("the_engine_keeps_all_that_it_confirmed_through_many_cuts") else { return };
    let mut first = 0;
    for seed in 0..12 {
        let last = churn_until(&stage, first, 5 + 7 * seed as usize);
        let mode = if seed % 2 == 0 { Mode::DropAll } else { Mode::Random { seed } };
        let report = stage.cut(mode);
        let db = Database::builder(stage.root().join("db")).open().unwrap_or_else(|e| panic!("{e}: {report}"));
        let keys = db.keyspace("keys", KeyspaceCreateOptions::default).expect("the keyspace");
        for number in 0..=last {
            let value = keys.get(number.to_be_bytes()).unwrap_or_else(|e| panic!("{e}: {report}"));
            assert_eq!(value.as_deref(), Some(&churned(number)[..]), "{number} of {last}: {report}");
        }
        drop((keys, db));
        stage.power.reset().expect("a reset");
        first = last + 1;
    }
}

#[test]
fn threads_do_not_confuse_the_journal() {
    let Some(mut stage) = Stage::new("threads_do_not_confuse_the_journal") else { return };
    kill_when_ready(stage.program("threads", ""));
    let report = stage.cut(Mode::DropAll);
    let text = std::fs::read_to_string(stage.root().join("shared")).expect("the file");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), THREADS * WRITES, "{report}");
    assert!(lines.windows(2).all(|pair| pair[0] != pair[1]));
    let names: Vec<String> = (0..THREADS).map(|thread| thread.to_string()).collect();
    for name in names {
        // The name was synced, the content not.
        let content = std::fs::read(stage.root().join(&name)).expect("the renamed file");
        assert!(content.is_empty(), "{name}: {content:?}");
    }
}

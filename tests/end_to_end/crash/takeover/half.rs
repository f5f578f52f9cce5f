//! A process died when some of its tables were committed and others were not,
//! while another one was at the same place and lives on.

use stempoint_ingest::log::partition_of;
use stempoint_schemas::event::EventKind;
use stempoint_schemas::watermark::Watermarks;

use super::super::compare::accepted;
use super::super::producer::{Producer, Sent, records};
use super::super::{crashes, seed};
use super::Place;
use super::fold::{Fold, copy, folded};

/// The tables of the ingest commit.
const TABLES: [&str; 5] = ["api_calls", "gpu_usage", "heartbeats", "rejects", "duplicates"];

/// Who stops where.
#[derive(Debug)]
struct Case {
    /// Where both are when it begins.
    start: Watermarks,
    /// How far the one that dies had come with its commit.
    dead_to: Watermarks,
    /// The tables that it had committed.
    tables: Vec<&'static str>,
    /// Where the survivor cuts its batches before it folds all the rest.
    cuts: Vec<Watermarks>,
}

impl Case {
    fn random(rng: &mut fastrand::Rng, end: &Watermarks) -> Case {
        let start = between(rng, &Watermarks::default(), end);
        let (mut near, mut dead_to) = (start.clone(), start.clone());
        for (partition, end) in end.iter() {
            near.set(partition, (start.get(partition) + rng.u64(0..4)).min(end));
            if rng.bool() {
                dead_to.set(partition, rng.u64(near.get(partition)..=end));
            }
        }
        let tables = TABLES.into_iter().filter(|_| rng.bool()).collect();
        Case { start, dead_to, tables, cuts: vec![near] }
    }

    /// Has the one die and the other go on to the end of the log. Says how
    /// often that one gave way and started again.
    fn play(&self, place: &Place, sent: &[Sent]) -> usize {
        folded(place, "lake", "index", &self.start);
        copy(&place.at("lake"), &place.at("dead"));
        let mut survivor = Fold::start(place, "lake", "index", &self.start);
        folded(place, "dead", "dead-index", &self.dead_to);
        for table in &self.tables {
            copy(&place.at("dead").join(table), &place.at("lake").join(table));
        }
        self.cuts.iter().for_each(|cut| survivor.fold_to(cut));
        survivor.fold_to(&place.ends());
        survivor.end();
        place.check(&place.at("lake"), sent, &format!("{self:?}"));
        for name in ["lake", "dead", "index", "dead-index"] {
            std::fs::remove_dir_all(place.at(name)).expect("the folder can be removed");
        }
        survivor.overtaken
    }
}

/// A random vector between two others.
fn between(rng: &mut fastrand::Rng, from: &Watermarks, to: &Watermarks) -> Watermarks {
    let mut vector = from.clone();
    for (partition, end) in to.iter() {
        vector.set(partition, rng.u64(from.get(partition)..=end));
    }
    vector
}

/// Wherever the one died and wherever the other cuts its batches, each row is
/// appended once: to the tables that have the dead one's and to those that do
/// not.
#[test]
fn half_a_commit_is_completed_by_a_process_that_was_there_all_along() {
    let seed = seed() ^ 11;
    let mut rng = fastrand::Rng::with_seed(seed);
    let place = Place::new();
    let mut producer = Producer::new(seed, 60);
    while producer.sent.len() < 400 {
        producer.send_to(place.log.as_ref());
    }
    let end = place.ends();
    let overtaken: usize = (0..crashes(12)).map(|_| Case::random(&mut rng, &end).play(&place, &producer.sent)).sum();
    eprintln!("gave way {overtaken} times");
    assert!(overtaken > 0, "it never gave way, so nothing was tested");
}

/// The survivor appends for one partition and reads in the table's log that the
/// other has moved the fence of a second one. Its next rows of that one are for
/// another table, so that nothing stops it; the rows after them must.
#[test]
fn a_fence_that_another_has_moved_stops_who_has_only_read_of_it() {
    let place = Place::new();
    let records = records(seed() ^ 14, 5_000);
    let (mut calls, mut usage, mut usage_of_other) = (Vec::new(), Vec::new(), Vec::new());
    for event in accepted(&records) {
        let record = records[event.record].clone();
        match (partition_of(&record.0, 4), event.kind) {
            (0, EventKind::ApiCall) => calls.push(record),
            (0, EventKind::GpuUsage) => usage.push(record),
            (1, EventKind::GpuUsage) => usage_of_other.push(record),
            _ => {}
        }
    }
    let sent: Vec<Sent> = calls.drain(..1).chain(usage.drain(..20)).chain(usage_of_other.drain(..1)).collect();
    place.send(&sent);
    let case = Case {
        start: Watermarks::default(),
        dead_to: Watermarks::from_vec(vec![11, 0, 0, 0]),
        tables: vec!["gpu_usage"],
        cuts: vec![Watermarks::from_vec(vec![0, 1, 0, 0]), Watermarks::from_vec(vec![1, 1, 0, 0])],
    };
    assert_eq!(case.play(&place, &sent), 1, "it gave way once");
}

//! One of several folds that work on a lake.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use stempoint_ingest::Unwatched;
use stempoint_ingest::dedup::IndexOptions;
use stempoint_ingest::fold::{FoldError, FoldOptions, FoldService};
use stempoint_schemas::watermark::Watermarks;

use super::super::scenario::REACHED_WITHIN;
use super::Place;
use super::view::View;
use crate::harness::LOOK;

/// A fold with its own idea of the tables and its own index, which starts
/// again where it gives way, as its process would.
pub struct Fold<'a> {
    place: &'a Place,
    lake: PathBuf,
    index: PathBuf,
    view: Arc<View>,
    service: Option<FoldService>,
    /// How often it gave way to another.
    pub overtaken: usize,
}

impl<'a> Fold<'a> {
    /// Starts one that sees the log up to some offsets.
    pub fn start(place: &'a Place, lake: &str, index: &str, shown: &Watermarks) -> Fold<'a> {
        let view = View::new(&place.log, shown);
        let mut fold = Fold { place, lake: place.at(lake), index: place.at(index), view, service: None, overtaken: 0 };
        fold.begin();
        fold
    }

    fn begin(&mut self) {
        let log: Arc<dyn stempoint_ingest::log::EventLog> = self.view.clone();
        // What is committed is in the index's files at once, so that a restart
        // trusts them as far as it can.
        let options = FoldOptions {
            commit_interval: Duration::from_millis(1),
            index: IndexOptions { lag_max: 0, ..IndexOptions::default() },
            workers: 1,
            ..FoldOptions::new(self.index.clone())
        };
        let (ledger, runtime) = (self.place.ledger(&self.lake), self.place.runtime.handle());
        let service = FoldService::start(&ledger, &log, options, runtime, Arc::new(Unwatched));
        self.service = Some(service.expect("the fold starts"));
    }

    /// Shows it more of the log, and waits until all of that is visible.
    pub fn fold_to(&mut self, to: &Watermarks) {
        self.view.show(to);
        let ledger = self.place.ledger(&self.lake);
        let begun = Instant::now();
        while !self.place.runtime.block_on(ledger.head()).expect("the head can be read").visible().covers(to) {
            assert!(begun.elapsed() < REACHED_WITHIN, "waited too long for the events to be visible");
            if self.service.as_ref().is_some_and(FoldService::has_stopped) {
                self.end();
                self.begin();
            }
            std::thread::sleep(LOOK / 5);
        }
    }

    /// Stops it.
    pub fn end(&mut self) {
        match self.service.take().map_or(Ok(()), FoldService::stop) {
            Ok(()) => {}
            Err(FoldError::Overtaken) => self.overtaken += 1,
            Err(error) => panic!("the fold ended: {error}"),
        }
    }
}

/// Folds everything up to some offsets and stops.
pub fn folded(place: &Place, lake: &str, index: &str, to: &Watermarks) {
    let mut fold = Fold::start(place, lake, index, to);
    fold.fold_to(to);
    fold.end();
}

/// Copies a folder with all that is in it; files that are there stay.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder can be read") {
        let entry = entry.expect("the folder can be read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else if !target.exists() {
            std::fs::copy(entry.path(), &target).expect("a file can be copied");
        }
    }
}

//! Writers and readers that slept while the log was cleaned up: what lies in
//! the gap then is not the table.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use stempoint_store::maintenance::{checkpoint, clean_log};
use stempoint_store::{Appended, Lake, Table};
use tokio::runtime::Handle;
use url::Url;

use crate::faults::FaultyStore;
use crate::rows::{all_rows, app, append_next, expected_rows, fence, put, spec};

/// A table whose first six entries were cleaned up, and what became of them.
struct Cleaned {
    folder: tempfile::TempDir,
    lake: Lake,
    awake: Table,
    /// Tables that were opened at versions 1, 2 and so on, and know no more.
    asleep: Vec<Table>,
    /// The entries that were removed, by version.
    entries: Vec<Vec<u8>>,
    /// The hint at a checkpoint that is no longer there.
    old_hint: Vec<u8>,
}

impl Cleaned {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = Lake::open_local(folder.path()).expect("a lake");
        let awake = Table::open_or_create(&lake, spec()).await.expect("creates");
        let log = folder.path().join("usage/_delta_log");
        let (mut asleep, mut old_hint) = (Vec::new(), Vec::new());
        for version in 1..=6 {
            append_next(&awake, 1, 10).await;
            asleep.push(Table::open(&lake, spec()).await.expect("opens"));
            if version == 1 {
                checkpoint(&awake).await.expect("a checkpoint");
                old_hint = std::fs::read(log.join("_last_checkpoint")).expect("a hint");
            }
        }
        let entry = |version: u64| std::fs::read(log.join(format!("{version:020}.json"))).expect("an entry");
        let entries = (0..6).map(entry).collect();
        checkpoint(&awake).await.expect("a checkpoint");
        assert!(clean_log(&awake, Duration::ZERO).await.expect("cleans") > 0);
        append_next(&awake, 1, 10).await;
        Self { folder, lake, awake, asleep, entries, old_hint }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join("usage/_delta_log").join(name)
    }

    /// What another process that slept has put into the gap, before it noticed.
    fn fill(&self, version: u64) {
        std::fs::write(self.log(&format!("{version:020}.json")), &self.entries[version as usize % 5 + 1])
            .expect("writes");
    }

    /// What remains of the hint at the newest checkpoint.
    fn damage_hint(&self, hint: Hint) {
        let path = self.log("_last_checkpoint");
        match hint {
            Hint::Whole => {}
            Hint::SetBack => std::fs::write(path, &self.old_hint).expect("writes"),
            Hint::Removed => std::fs::remove_file(path).expect("removes"),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Hint {
    Whole,
    /// As a process that was slow with a checkpoint leaves it.
    SetBack,
    Removed,
}

const HINTS: [Hint; 3] = [Hint::Whole, Hint::SetBack, Hint::Removed];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_slept_while_the_log_was_cleaned_is_fenced() {
    for hint in HINTS {
        let cleaned = Cleaned::new().await;
        cleaned.damage_hint(hint);
        let (asleep, neighbour) = (&cleaned.asleep[0], &cleaned.asleep[1]);
        // The same fence: it was replaced.
        let file = put(asleep, 1, 10..20).await;
        let answer = asleep.append(vec![file], &[fence(1, Some(10), 20)]).await.expect("answers");
        assert_eq!(answer, Appended::Overtaken { current: vec![(app(1), Some(70))] });
        // Another fence: its append is valid and must be in the table.
        let done = append_next(neighbour, 2, 5).await;
        assert!(matches!(done, Appended::Done { .. }), "{done:?}");
        for table in [&cleaned.awake, asleep, neighbour] {
            table.refresh().await.expect("refreshes");
            assert_eq!(all_rows(table), expected_rows(&[(1, 70), (2, 5)]), "{hint:?}");
        }
        if !matches!(hint, Hint::SetBack) {
            // Other readers trust the hint, so they need it to be right or absent.
            crate::open::assert_delta_rs_agrees(&cleaned.awake).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_behind_what_lies_in_a_gap_is_in_the_table() {
    for hint in HINTS {
        for (index, version) in (1..=5).enumerate() {
            let cleaned = Cleaned::new().await;
            cleaned.damage_hint(hint);
            cleaned.fill(version);
            let done = append_next(&cleaned.asleep[index], 2, 5).await;
            assert!(matches!(done, Appended::Done { .. }), "{done:?}");
            cleaned.awake.refresh().await.expect("refreshes");
            assert_eq!(all_rows(&cleaned.awake), expected_rows(&[(1, 70), (2, 5)]), "{hint:?} {version}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_does_not_take_what_lies_in_a_gap_for_the_table() {
    for hint in HINTS {
        for version in 1..=6 {
            let cleaned = Cleaned::new().await;
            cleaned.damage_hint(hint);
            if version < 6 {
                cleaned.fill(version);
            }
            for asleep in &cleaned.asleep {
                asleep.refresh().await.expect("refreshes");
                assert_eq!(all_rows(asleep), expected_rows(&[(1, 70)]), "{hint:?} {version}");
            }
            let opened = Table::open(&cleaned.lake, spec()).await.expect("opens");
            assert_eq!(all_rows(&opened), expected_rows(&[(1, 70)]), "{hint:?} {version}");
        }
    }
}

/// The log is cleaned up while a table is opened, and then another process that
/// slept writes where the reader is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_cleaned_while_it_is_read_is_read_again() {
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let lake = |store| {
        Lake::with_store(Url::parse("memory:///lake").expect("a URL"), store, Handle::current()).expect("a lake")
    };
    let awake = Table::open_or_create(&lake(Arc::clone(&memory)), spec()).await.expect("creates");
    for _ in 1..=3 {
        append_next(&awake, 1, 10).await;
    }
    let entry = |version: u64| Path::from(format!("lake/usage/_delta_log/{version:020}.json"));
    let stray = memory.get(&entry(2)).await.expect("an entry").bytes().await.expect("its bytes");
    let store = FaultyStore::new(Arc::clone(&memory));
    let (writer, at) = (awake.clone(), entry(4));
    *store.meanwhile.lock().expect("unpoisoned") = Some((
        at.to_string(),
        Box::pin(async move {
            for _ in 4..=6 {
                append_next(&writer, 1, 10).await;
            }
            checkpoint(&writer).await.expect("a checkpoint");
            assert!(clean_log(&writer, Duration::ZERO).await.expect("cleans") > 0);
            memory.put(&at, stray.into()).await.expect("puts");
        }),
    ));
    let opened = Table::open(&lake(Arc::new(store)), spec()).await.expect("opens");
    assert_eq!(all_rows(&opened), expected_rows(&[(1, 60)]));
}

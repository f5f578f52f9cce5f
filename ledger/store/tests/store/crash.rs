//! Killing the process at each crash point, with and without what was not
//! synced, and going on afterwards.

use std::process::Command;
use std::time::Duration;

use stempoint_store::crash::CRASH_POINTS;
use stempoint_store::maintenance::{CompactionPlan, Schedule, maintain, vacuum};
use stempoint_store::{Lake, Table, TableSpec};

use crate::compaction::ALL;
use crate::open::assert_delta_rs_agrees;
use crate::rows::{all_rows, app, append_next, expected_rows, spec};

const FOLDER: &str = "STEMPOINT_STORE_TEST_FOLDER";
const ROWS: i64 = 120;

fn brief() -> TableSpec {
    TableSpec { file_retention: Duration::from_secs(0), ..spec() }
}

/// Appends until the table has all rows, with maintenance in between. Run by
/// [`killed_anywhere_nothing_is_lost_or_doubled`] in a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let lake = Lake::open_local(folder).expect("a lake");
    let table = Table::open_or_create(&lake, brief()).await.expect("opens");
    let plan = CompactionPlan { fan_in: 3, ..CompactionPlan::new(ALL, &["p"], &["n"]) };
    let schedule = Schedule { checkpoint_commits: 4, log_kept: Duration::ZERO };
    let missing = || ROWS - table.snapshot().fence(&app(1)).unwrap_or(0);
    while missing() > 0 {
        for _ in 0..3.min(missing() / 10) {
            append_next(&table, 1, 10).await;
        }
        maintain(&table, &plan, &schedule).await.expect("maintains");
        vacuum(&table).await.expect("vacuums");
    }
}

fn run_child(folder: &std::path::Path, crash: Option<(&str, bool)>) -> std::process::ExitStatus {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "crash::child"]).env(FOLDER, folder).env_remove("STEMPOINT_CRASH_AT");
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    if let Some((at, drop_unsynced)) = crash {
        command.env("STEMPOINT_CRASH_AT", at);
        if drop_unsynced {
            command.env("STEMPOINT_CRASH_DROP_UNSYNCED", "1");
        }
    }
    command.status().expect("runs")
}

async fn check(folder: &std::path::Path, complete: bool, what: &str) {
    let lake = Lake::open_local(folder).expect("a lake");
    let table = match Table::open(&lake, brief()).await {
        Ok(table) => table,
        Err(stempoint_store::StoreError::NotATable { .. }) if !complete => return,
        Err(error) => panic!("{what}: {error}"),
    };
    let fence = table.snapshot().fence(&app(1)).unwrap_or(0);
    assert_eq!(all_rows(&table), expected_rows(&[(1, fence)]), "{what}");
    if complete {
        assert_eq!(fence, ROWS, "{what}");
        assert_delta_rs_agrees(&table).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_anywhere_nothing_is_lost_or_doubled() {
    let mut killed = 0;
    for point in CRASH_POINTS {
        for (nth, drop_unsynced) in [(1, true), (2, false), (3, true), (7, true)] {
            let folder = tempfile::tempdir().expect("a folder");
            let at = format!("{point}:{nth}");
            let status = run_child(folder.path(), Some((&at, drop_unsynced)));
            let died = status.code().is_none();
            assert!(died || nth > 1, "{at} was not reached");
            killed += usize::from(died);
            check(folder.path(), false, &at).await;
            assert!(run_child(folder.path(), None).success(), "{at}: going on failed");
            check(folder.path(), true, &at).await;
        }
    }
    println!("killed {killed} times");
}

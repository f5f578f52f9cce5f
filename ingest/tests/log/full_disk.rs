//! What happens when the disk takes no more.

use std::process::Command;
use std::sync::Arc;

use stempoint_ingest::log::embedded::{EmbeddedLog, EmbeddedOptions};
use stempoint_ingest::log::{EventLog, LogError, Topic};

use crate::support::{append, batch, read_all};

const CHILD: &str = "STEMPOINT_LOG_CHILD_FULL";

fn options() -> EmbeddedOptions {
    EmbeddedOptions { usage_partitions: 1, ..EmbeddedOptions::default() }
}

/// A process that cannot write more than some bytes to a file sees a failing
/// write in the middle of its work, as on a full disk. It must fail with a
/// clear error and keep what was acknowledged; afterwards all is well.
#[test]
#[cfg(unix)]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    // The limit's unit is 512 or 1,024 bytes, depending on the shell, and the
    // journal must fit when it is created, with 64 MiB.
    let status = Command::new("bash")
        .args(["-c", "ulimit -f 65700 && trap '' XFSZ && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "full_disk::child_on_a_full_disk", "--nocapture"])
        .env(CHILD, folder.path())
        .status()
        .unwrap();
    assert!(status.success());
    let acknowledged: u64 = std::fs::read_to_string(folder.path().join("expected")).unwrap().parse().unwrap();
    let log = EmbeddedLog::open(folder.path(), options()).unwrap();
    check(&log, acknowledged);
    append(&log, [("key", "more")]);
}

fn check(log: &dyn EventLog, acknowledged: u64) {
    let read = read_all(log, Topic::Usage, 0, 0);
    assert!(read.len() as u64 >= acknowledged);
    for (number, record) in (0_u64..).zip(read) {
        assert_eq!(record.value[..8], number.to_le_bytes());
    }
}

/// Not a test of its own: the process whose disk is full.
#[test]
fn child_on_a_full_disk() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    let log = Arc::new(EmbeddedLog::open(&folder, options()).unwrap());
    let mut random = fastrand::Rng::with_seed(1);
    let mut number = 0_u64;
    // One batch is larger than what the journal may exceed its limit by.
    let refused = loop {
        let records: Vec<_> = (number..number + 40)
            .map(|number| {
                let mut value = number.to_le_bytes().to_vec();
                value.resize_with(400_000, || random.u8(..));
                ("key", value)
            })
            .collect();
        match log.submit(Topic::Usage, batch(records)).wait() {
            Ok(_) => number += 40,
            Err(error) => break error,
        }
        assert!(number < 4_000, "no limit was met");
    };
    println!("after {number}: {refused}");
    assert!(matches!(refused, LogError::Storage { .. } | LogError::Stopped { .. }), "{refused:?}");
    let again = log.submit(Topic::Usage, batch([("key", "x")])).wait().unwrap_err();
    assert!(matches!(again, LogError::Stopped { .. }), "{again:?}");
    assert!(again.to_string().contains("open the log again"), "{again}");
    // What is durable can be read on.
    check(log.as_ref(), number);
    std::fs::write(folder.join("expected"), number.to_string()).unwrap();
}

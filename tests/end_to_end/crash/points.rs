//! Every named step of the ingest commit and of settlement.

/// The steps of the ingest commit.
pub const INGEST: [&str; 17] = [
    "ingest.before_tables:2",
    "store.put_file.before@api_calls:2",
    "store.local.written:4",
    "store.local.named:5",
    "store.put_file.after@api_calls:2",
    "store.commit.before@api_calls:2",
    "store.commit.after@api_calls:2",
    "store.commit.after@gpu_usage:2",
    "store.commit.after@rejects:2",
    "store.commit.after@duplicates:2",
    "ingest.after_tables:2",
    "ledger.commit.before:2",
    "store.put_file.after@commits:2",
    "store.commit.before@commits:2",
    "store.commit.after@commits:2",
    "ledger.commit.after:3",
    "ingest.after_commit:2",
];

/// The steps of settlement; it shares those of the ledger's commit.
pub const SETTLEMENT: [&str; 6] = [
    "settlement.before_tables:2",
    "store.commit.after@control:2",
    "store.commit.after@charges:2",
    "store.commit.after@journal:2",
    "settlement.after_tables:2",
    "settlement.after_commit:2",
];

/// The steps of the ledger's commit, which both protocols end with.
pub const LEDGER: [&str; 5] = [
    "ledger.commit.before:2",
    "store.put_file.after@commits:2",
    "store.commit.before@commits:2",
    "store.commit.after@commits:2",
    "ledger.commit.after:2",
];

/// The steps of maintenance.
pub const MAINTENANCE: [&str; 4] =
    ["store.compact.written", "store.compact.written:5", "store.checkpoint.before", "store.checkpoint.after"];

/// The steps of one process that does both protocols.
pub fn all() -> impl Iterator<Item = &'static str> {
    INGEST.into_iter().chain(SETTLEMENT)
}

#[test]
fn no_step_is_forgotten() {
    let sources = [
        include_str!("../../../ingest/src/fold/commit.rs"),
        include_str!("../../../ingest/src/settlement/write.rs"),
        include_str!("../../../ledger/store/src/append.rs"),
        include_str!("../../../ledger/store/src/ledger/mod.rs"),
        include_str!("../../../ledger/store/src/sync.rs"),
        include_str!("../../../ledger/store/src/table.rs"),
    ];
    let mut named = 0;
    for source in sources {
        for call in source.split("crash_point").skip(1) {
            let Some(name) = call.trim_start_matches("_in").strip_prefix("(\"") else { continue };
            let name = name.split('"').next().unwrap_or_default();
            assert!(all().any(|point| point.split(['@', ':']).next() == Some(name)), "{name} is in no list");
            named += 1;
        }
    }
    assert!(named >= 13, "only {named} steps were found: look elsewhere for them");
}

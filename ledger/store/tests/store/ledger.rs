//! The chain of ledger versions with several writers.

use stempoint_schemas::tables::COMMITS;
use stempoint_store::ledger::Ledger;

/// Another process has committed, and something else in this one, such as
/// maintenance, has read the table since: the next version follows the other's.
#[tokio::test]
async fn a_version_follows_what_another_process_has_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    let ours = Ledger::open_or_create(folder.path(), 2).await.expect("opens");
    let other = Ledger::open_or_create(folder.path(), 2).await.expect("opens");
    for partition in [0, 1] {
        for ledger in [&other, &ours] {
            ours.table(&COMMITS).refresh().await.expect("refreshes");
            let advanced = ledger.advance(|next| {
                next.shards[partition].watermark += 1;
                true
            });
            advanced.await.expect("commits");
        }
    }
    let versions = ours.versions(1).await.expect("reads");
    let mut before = stempoint_schemas::commit::Commit::first(2, 0);
    for (number, version) in (1..).zip(&versions) {
        assert_eq!((version.version, version.previous_hash), (number, before.hash()));
        before = version.clone();
    }
    assert_eq!(before.visible().iter().collect::<Vec<_>>(), [(0, 2), (1, 2)]);
    assert_eq!(versions.len(), 4);
}

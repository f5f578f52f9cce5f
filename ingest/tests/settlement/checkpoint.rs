//! Starts from a checkpoint: it saves reading old charges, and one that is
//! damaged or of another ledger is as good as none.

use std::fs;
use std::path::PathBuf;

use stempoint_ingest::log::{Batch, Topic};
use stempoint_ingest::settlement::SettleOptions;
use stempoint_schemas::tables::{CHARGES, JOURNAL};
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::ReadOptions;

use crate::folded::{Folded, seed};

const PRICES: &str = r#"
currency = "USD"
effective_from = "2025-12-01T00:00:00Z"
[[price]]
meter = "tokens.input"
per = "1000000"
amount = "0.37"
[[price]]
meter = "gpu.seconds"
per = "7"
amount = "0.0000000001"
[[share]]
meter = "tokens.input"
provider = "0.70"
"#;

/// Prices in force, half of the usage settled, a checkpoint written.
fn half_settled(seed: u64) -> Folded {
    use prost::Message;
    let folded = Folded::new(seed);
    let book = stempoint_core::price_file::read(PRICES).expect("the price file is right");
    let act = stempoint_core::control::Act::PriceBook(book);
    let mut batch = Batch::new();
    batch.push(b"operator/test", &stempoint_core::control::to_proto("prices", &act).encode_to_vec());
    folded.log.submit(Topic::Control, batch).wait().expect("the log takes the event");
    let half = Watermarks::from_vec(folded.ends.iter().map(|(_, end)| end / 2).collect());
    folded.ask(&half);
    folded.settle(follower(&folded), &half);
    folded
}

fn follower(folded: &Folded) -> SettleOptions {
    SettleOptions { leads: false, ..folded.options() }
}

/// Settles the rest; says how many bytes of postings there are and their sum
/// per account, which is what a state that forgot or doubled would change.
fn finish(folded: &Folded) -> Vec<String> {
    folded.ask(&folded.ends);
    folded.settle(follower(folded), &folded.ends);
    folded.check();
    let journal = folded.ledger.table(&JOURNAL);
    let mut postings = Vec::new();
    for file in journal.snapshot().files() {
        let options =
            ReadOptions { columns: Some(&["_offset", "entry", "line", "account", "amount"]), ..ReadOptions::default() };
        for batch in journal.read_file(file, &options).expect("the file opens") {
            postings.push(format!("{:?}", batch.expect("the file can be read").columns()));
        }
    }
    postings.sort();
    postings
}

/// The files of `charges`.
fn charge_files(folded: &Folded) -> Vec<PathBuf> {
    let charges = folded.ledger.table(&CHARGES);
    let folder = folded.ledger.lake().table_folder(CHARGES.name).expect("the lake is local");
    charges.snapshot().files().map(|file| folder.join(&file.path)).collect()
}

#[test]
fn a_start_from_a_checkpoint_reads_no_older_charges_and_posts_the_same() {
    let seed = seed();
    let without = half_settled(seed);
    fs::remove_dir_all(without.checkpoint()).expect("a checkpoint was written");
    let expected = finish(&without);

    let with = half_settled(seed);
    let hidden: Vec<_> = charge_files(&with).into_iter().map(|path| (path.with_extension("hidden"), path)).collect();
    assert!(!hidden.is_empty());
    hidden.iter().for_each(|(hidden, path)| fs::rename(path, hidden).expect("the file can be renamed"));
    let service = with.start(follower(&with)).expect("the old charges are not needed");
    service.stop().expect("nothing was to be done");
    fs::rename(with.checkpoint().join("checkpoint"), with.checkpoint().join("elsewhere")).expect("it is there");
    assert!(with.start(follower(&with)).is_err(), "without the checkpoint they are");
    fs::rename(with.checkpoint().join("elsewhere"), with.checkpoint().join("checkpoint")).expect("it is there");
    hidden.iter().for_each(|(hidden, path)| fs::rename(hidden, path).expect("the file can be renamed"));
    assert_eq!(finish(&with), expected);
}

#[test]
fn a_checkpoint_that_is_damaged_or_of_another_ledger_is_passed_over() {
    let seed = seed();
    let right = half_settled(seed);
    let good = fs::read(right.checkpoint().join("checkpoint")).expect("a checkpoint was written");
    let expected = finish(&right);

    let other = half_settled(seed + 1);
    let foreign = fs::read(other.checkpoint().join("checkpoint")).expect("a checkpoint was written");
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for (what, bytes) in
        [("foreign", foreign), ("flipped", flipped), ("cut", good[..middle].to_vec()), ("empty", Vec::new())]
    {
        let ledger = half_settled(seed);
        fs::write(ledger.checkpoint().join("checkpoint"), bytes).expect("it can be written");
        assert_eq!(finish(&ledger), expected, "{what}");
    }
}

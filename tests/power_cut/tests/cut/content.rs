//! What a power cut leaves of the content of files.

use stempoint_power_cut::{Loss, Mode};

use crate::stage::{Stage, expected};
use crate::steps::Step::{self, *};

fn s(text: &str) -> String {
    text.to_owned()
}

/// A file with this content, synced with its name.
fn synced(path: &str, text: &str) -> Vec<Step> {
    vec![Create(s(path)), Append(s(path), s(text)), Sync(s(path)), SyncFolder(s("."))]
}

/// Runs the steps, drops everything unsynced, and compares what is left.
fn leaves(test: &str, steps: Vec<Step>, left: &[(&str, &str)]) {
    let Some(mut stage) = Stage::new(test) else { return };
    stage.run(&steps);
    let report = stage.cut(Mode::DropAll);
    assert_eq!(stage.files(), expected(left), "{report}");
}

#[test]
fn an_unsynced_file_is_lost() {
    leaves("an_unsynced_file_is_lost", vec![Create(s("a")), Append(s("a"), s("text"))], &[]);
}

#[test]
fn a_synced_name_without_synced_content_is_empty() {
    let steps = vec![Create(s("a")), Append(s("a"), s("text")), SyncFolder(s("."))];
    leaves("a_synced_name_without_synced_content_is_empty", steps, &[("a", "")]);
}

#[test]
fn a_synced_file_stays() {
    leaves("a_synced_file_stays", synced("a", "text"), &[("a", "text")]);
}

#[test]
fn an_append_is_cut_to_the_synced_length() {
    let Some(mut stage) = Stage::new("an_append_is_cut_to_the_synced_length") else { return };
    stage.run(&[synced("a", "text"), vec![Append(s("a"), s(" and")), Append(s("a"), s(" more"))]].concat());
    assert_eq!(stage.files(), expected(&[("a", "text and more")]), "before the cut all is there");
    let report = stage.cut(Mode::DropAll);
    assert_eq!(stage.files(), expected(&[("a", "text")]));
    let lost = Loss::Content { path: "a".into(), edits: 2, torn: 0, bytes: 9 };
    assert_eq!(report.losses, [lost]);
}

#[test]
fn an_overwrite_is_undone_byte_for_byte() {
    let mut steps = synced("a", "one two three");
    steps.extend([WriteAt(s("a"), 4, s("2")), WriteAt(s("a"), 2, s("###")), WriteAt(s("a"), 11, s("long"))]);
    leaves("an_overwrite_is_undone_byte_for_byte", steps, &[("a", "one two three")]);
}

#[test]
fn a_truncation_is_undone() {
    let mut steps = synced("a", "one two three");
    steps.extend([Resize(s("a"), 3), Append(s("a"), s("!!")), Resize(s("a"), 40), Create(s("a"))]);
    leaves("a_truncation_is_undone", steps, &[("a", "one two three")]);
}

#[test]
fn a_sync_of_data_alone_covers_the_length() {
    let mut steps = synced("a", "one");
    steps.extend([Append(s("a"), s(" two")), SyncData(s("a")), Append(s("a"), s(" three"))]);
    leaves("a_sync_of_data_alone_covers_the_length", steps, &[("a", "one two")]);
}

#[test]
fn writes_that_the_descriptor_syncs_stay() {
    let mut steps = synced("a", "one");
    steps.extend([WriteDurably(s("a"), s(" two")), Append(s("a"), s(" three"))]);
    leaves("writes_that_the_descriptor_syncs_stay", steps, &[("a", "one two")]);
}

#[test]
fn a_sync_counts_through_any_name_and_descriptor() {
    let mut steps = synced("a", "one");
    steps.extend([Link(s("a"), s("b")), Append(s("a"), s(" two")), Sync(s("b"))]);
    leaves("a_sync_counts_through_any_name_and_descriptor", steps, &[("a", "one two")]);
}

#[test]
fn a_copy_is_lost_like_any_write() {
    let mut steps = synced("a", "text");
    steps.extend([Copy(s("a"), s("b")), SyncFolder(s("."))]);
    leaves("a_copy_is_lost_like_any_write", steps, &[("a", "text"), ("b", "")]);
    let mut steps = synced("a", "text");
    steps.extend([Copy(s("a"), s("b")), Sync(s("b")), SyncFolder(s("."))]);
    leaves("a_copy_is_lost_like_any_write", steps, &[("a", "text"), ("b", "text")]);
}

#[test]
fn what_is_there_at_the_start_and_after_a_cut_is_synced() {
    let Some(mut stage) = Stage::new("what_is_there_at_the_start_and_after_a_cut_is_synced") else { return };
    std::fs::write(stage.root().join("a"), "one").expect("a file");
    stage.power.reset().expect("a reset");
    stage.run(&[Append(s("a"), s(" two")), Sync(s("a")), Append(s("a"), s(" three"))]);
    stage.cut(Mode::DropAll);
    assert_eq!(stage.files(), expected(&[("a", "one two")]));
    stage.run(&[Append(s("a"), s("!")), Remove(s("a"))]);
    stage.cut(Mode::DropAll);
    assert_eq!(stage.files(), expected(&[("a", "one two")]));
}

#[test]
fn a_random_cut_keeps_what_was_synced_and_tears_the_rest() {
    let test = "a_random_cut_keeps_what_was_synced_and_tears_the_rest";
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let Some(mut stage) = Stage::new(test) else { return };
        stage.run(&[synced("a", "synced."), vec![Append(s("a"), s("0123456789"))]].concat());
        let report = stage.cut(Mode::Random { seed });
        let files = stage.files();
        let text = files[std::path::Path::new("a")].clone().expect("a file");
        assert!(b"synced.0123456789".starts_with(&text) && text.len() >= 7, "{report}: {text:?}");
        assert_eq!(report.lost_bytes() as usize, 17 - text.len(), "{report}");
        lengths.insert(text.len());
    }
    assert!(lengths.contains(&7) && lengths.contains(&17) && lengths.len() > 4, "lengths: {lengths:?}");
}

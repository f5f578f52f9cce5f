//! What a power cut leaves of names.

use stempoint_power_cut::{Mode, NameChange};

use crate::stage::{Stage, expected};
use crate::steps::Step::{self, *};

fn s(text: &str) -> String {
    text.to_owned()
}

/// A file whose content is synced, and its name not.
fn content_synced(path: &str, text: &str) -> Vec<Step> {
    vec![Create(s(path)), Append(s(path), s(text)), Sync(s(path))]
}

fn leaves(test: &str, steps: &[Vec<Step>], left: &[(&str, &str)]) {
    let Some(mut stage) = Stage::new(test) else { return };
    stage.run(&steps.concat());
    let report = stage.cut(Mode::DropAll);
    assert_eq!(stage.files(), expected(left), "{report}");
}

fn root_synced() -> Vec<Step> {
    vec![SyncFolder(s("."))]
}

#[test]
fn a_synced_file_without_its_name_is_missing() {
    leaves("a_synced_file_without_its_name_is_missing", &[content_synced("a", "text")], &[]);
}

#[test]
fn a_rename_is_undone_with_what_it_replaced() {
    let before = [content_synced("a", "old"), content_synced("a.new", "new"), root_synced()].concat();
    let test = "a_rename_is_undone_with_what_it_replaced";
    let rename = vec![Rename(s("a.new"), s("a"))];
    leaves(test, &[before.clone(), rename.clone()], &[("a", "old"), ("a.new", "new")]);
    leaves(test, &[before, rename, root_synced()], &[("a", "new")]);
}

#[test]
fn a_rename_made_by_a_direct_system_call_is_undone() {
    let test = "a_rename_made_by_a_direct_system_call_is_undone";
    let before = [content_synced("a", "old"), root_synced()].concat();
    let persist = vec![Persist(s("a"), s("new"))];
    leaves(test, &[before.clone(), persist.clone()], &[("a", "old")]);
    leaves(test, &[before, persist, root_synced()], &[("a", "new")]);
}

#[test]
fn a_hard_link_is_undone_and_its_file_stays() {
    let before = [content_synced("a", "text"), root_synced()].concat();
    let test = "a_hard_link_is_undone_and_its_file_stays";
    let publish = vec![Link(s("a"), s("b")), Remove(s("a"))];
    leaves(test, &[before.clone(), publish.clone()], &[("a", "text")]);
    leaves(test, &[before, publish, root_synced()], &[("b", "text")]);
}

#[test]
fn a_removal_is_undone() {
    let before = [content_synced("a", "text"), root_synced()].concat();
    let test = "a_removal_is_undone";
    leaves(test, &[before.clone(), vec![Remove(s("a"))]], &[("a", "text")]);
    leaves(test, &[before.clone(), vec![Remove(s("a"))], root_synced()], &[]);
    let again = vec![Remove(s("a")), Create(s("a")), Append(s("a"), s("other"))];
    leaves(test, &[before, again], &[("a", "text")]);
}

#[test]
fn a_file_written_after_its_removal_comes_back_as_it_was_synced() {
    let before = [content_synced("a", "text"), root_synced()].concat();
    let nameless = vec![WriteNameless(s("a"), s(" more"))];
    let test = "a_file_written_after_its_removal_comes_back_as_it_was_synced";
    leaves(test, &[before, nameless], &[("a", "text more")]);
}

#[test]
fn a_folder_is_lost_with_all_that_is_in_it() {
    let test = "a_folder_is_lost_with_all_that_is_in_it";
    let inside = [vec![MakeFolder(s("d"))], content_synced("d/a", "text"), vec![SyncFolder(s("d"))]].concat();
    leaves(test, std::slice::from_ref(&inside), &[]);
    leaves(test, &[inside, root_synced()], &[("d/", ""), ("d/a", "text")]);
}

#[test]
fn a_removed_folder_comes_back_with_what_was_in_it() {
    let inside = [vec![MakeFolder(s("d"))], content_synced("d/a", "text"), vec![SyncFolder(s("d"))]].concat();
    let gone = vec![Remove(s("d/a")), RemoveFolder(s("d"))];
    let test = "a_removed_folder_comes_back_with_what_was_in_it";
    leaves(test, &[inside.clone(), root_synced(), gone.clone()], &[("d/", ""), ("d/a", "text")]);
    leaves(test, &[inside, root_synced(), gone, root_synced()], &[]);
}

#[test]
fn a_renamed_folder_goes_back_with_all_that_is_in_it() {
    let inside = [vec![MakeFolder(s("d"))], content_synced("d/a", "text"), vec![SyncFolder(s("d"))]].concat();
    let test = "a_renamed_folder_goes_back_with_all_that_is_in_it";
    let moved = [vec![Rename(s("d"), s("e"))], content_synced("e/b", "more"), vec![SyncFolder(s("e"))]].concat();
    let left = [("d/", ""), ("d/a", "text"), ("d/b", "more")];
    leaves(test, &[inside, root_synced(), moved], &left);
}

#[test]
fn a_rename_between_folders_is_whole_or_not_at_all() {
    let test = "a_rename_between_folders_is_whole_or_not_at_all";
    let folders = vec![MakeFolder(s("d")), MakeFolder(s("e"))];
    let before = [folders, content_synced("d/a", "text"), vec![SyncFolder(s("d"))], root_synced()].concat();
    let moved = vec![Rename(s("d/a"), s("e/a"))];
    let (old, new) = ([("d/", ""), ("d/a", "text"), ("e/", "")], [("d/", ""), ("e/", ""), ("e/a", "text")]);
    leaves(test, &[before.clone(), moved.clone()], &old);
    leaves(test, &[before.clone(), moved.clone(), vec![SyncFolder(s("d"))]], &new);
    leaves(test, &[before, moved, vec![SyncFolder(s("e"))]], &new);
}

#[test]
fn a_symbolic_link_is_a_name_like_others() {
    let Some(mut stage) = Stage::new("a_symbolic_link_is_a_name_like_others") else { return };
    let before = [content_synced("a", "text"), vec![Symlink(s("a"), s("kept"))], root_synced()].concat();
    stage.run(&[before, vec![Symlink(s("a"), s("lost")), Remove(s("kept"))]].concat());
    stage.cut(Mode::DropAll);
    assert_eq!(stage.files(), expected(&[("a", "text"), ("kept", "text")]));
    let target = std::fs::read_link(stage.root().join("kept")).expect("a link");
    assert_eq!(target, std::path::Path::new("a"));
}

#[test]
fn the_report_names_what_was_lost() {
    let Some(mut stage) = Stage::new("the_report_names_what_was_lost") else { return };
    let before = [content_synced("a", "old"), content_synced("b", "new"), root_synced()].concat();
    stage.run(&[before, vec![Rename(s("b"), s("a")), Create(s("c"))]].concat());
    let report = stage.cut(Mode::DropAll);
    let printed = report.to_string();
    assert!(printed.contains("not renamed: b to a") && printed.contains("not created: c"), "{printed}");
    let created = stempoint_power_cut::Loss::Name { path: "c".into(), change: NameChange::Created };
    assert_eq!((report.losses.len(), &report.losses[1]), (2, &created));
}

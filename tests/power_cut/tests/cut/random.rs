//! Random steps against a simple model of what a power cut leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proptest::prelude::*;
use stempoint_power_cut::Mode;

use crate::stage::{Files, Stage};
use crate::steps::Step;

/// A file with its content now and as it was last synced.
#[derive(Debug, Default, Clone)]
struct File {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// Whether it was changed since, be it back to what it was.
    changed: bool,
}

/// A folder with its names now and as they were last synced.
#[derive(Debug, Default, Clone)]
struct Folder {
    now: BTreeMap<String, usize>,
    synced: BTreeMap<String, usize>,
    /// Names that were touched since.
    touched: BTreeSet<String>,
}

#[derive(Debug, Clone)]
enum Node {
    File(File),
    Folder(Folder),
}

/// A tree of one level: the folders "d" and "e" in the root, the files "a", "b" and "c" anywhere.
struct Model(Vec<Node>);

const ROOT: usize = 0;

impl Model {
    fn new() -> Self {
        Self(vec![Node::Folder(Folder::default())])
    }

    fn folder(&mut self, id: usize) -> &mut Folder {
        match &mut self.0[id] {
            Node::Folder(folder) => folder,
            Node::File(_) => panic!("a file where a folder was expected"),
        }
    }

    /// The folder and the name that a path means, if the folder exists.
    fn slot(&mut self, path: &str) -> Option<(usize, String)> {
        match path.split_once('/') {
            None => Some((ROOT, path.to_owned())),
            Some((folder, name)) => Some((*self.folder(ROOT).now.get(folder)?, name.to_owned())),
        }
    }

    fn find(&mut self, path: &str) -> Option<usize> {
        if path == "." {
            return Some(ROOT);
        }
        let (folder, name) = self.slot(path)?;
        self.folder(folder).now.get(&name).copied()
    }

    fn set(&mut self, (folder, name): (usize, String), id: Option<usize>) {
        let folder = self.folder(folder);
        match id {
            Some(id) => folder.now.insert(name.clone(), id),
            None => folder.now.remove(&name),
        };
        folder.touched.insert(name);
    }

    /// A file's content, to be changed.
    fn content(&mut self, path: &str) -> Option<&mut Vec<u8>> {
        let id = self.find(path)?;
        match &mut self.0[id] {
            Node::File(file) => {
                file.changed = true;
                Some(&mut file.now)
            }
            Node::Folder(_) => None,
        }
    }

    /// Does the step as the file system would; what fails changes nothing.
    fn step(&mut self, step: &Step) -> Option<()> {
        match step {
            Step::Create(path) => match self.find(path) {
                Some(_) => self.content(path)?.clear(),
                None => self.add(path, Node::File(File::default()))?,
            },
            Step::Append(path, text) => self.content(path)?.extend(text.as_bytes()),
            Step::WriteAt(path, at, text) => {
                let content = self.content(path)?;
                let (start, end) = (*at as usize, *at as usize + text.len());
                content.resize(content.len().max(end), 0);
                content[start..end].copy_from_slice(text.as_bytes());
            }
            Step::Resize(path, size) => self.content(path)?.resize(*size as usize, 0),
            Step::Sync(path) | Step::SyncFolder(path) => {
                let id = self.find(path)?;
                match &mut self.0[id] {
                    Node::File(file) => *file = File { synced: file.now.clone(), changed: false, ..file.clone() },
                    Node::Folder(folder) => {
                        folder.synced = folder.now.clone();
                        folder.touched.clear();
                    }
                }
            }
            Step::Rename(from, to) => self.rename(from, to)?,
            Step::Link(from, to) => {
                let id = self.find(from)?;
                let slot = self.slot(to)?;
                if self.find(to).is_none() && matches!(self.0[id], Node::File(_)) {
                    self.set(slot, Some(id));
                }
            }
            Step::Remove(path) => {
                let slot = self.slot(path)?;
                let id = self.find(path)?;
                if matches!(self.0[id], Node::File(_)) {
                    self.set(slot, None);
                }
            }
            Step::MakeFolder(path) => {
                if self.find(path).is_none() {
                    self.add(path, Node::Folder(Folder::default()))?;
                }
            }
            Step::RemoveFolder(path) => {
                let (slot, id) = (self.slot(path)?, self.find(path)?);
                if self.folder(id).now.is_empty() {
                    self.set(slot, None);
                }
            }
            other => panic!("the model does not know {other:?}"),
        }
        Some(())
    }

    fn add(&mut self, path: &str, node: Node) -> Option<()> {
        let slot = self.slot(path)?;
        self.0.push(node);
        let id = self.0.len() - 1;
        self.set(slot, Some(id));
        Some(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Option<()> {
        let (source, old, new) = (self.find(from)?, self.slot(from)?, self.slot(to)?);
        let target = self.find(to);
        if target == Some(source) {
            return None;
        }
        if let Some(target) = target
            && let Node::Folder(folder) = &self.0[target]
            && !folder.now.is_empty()
        {
            return None;
        }
        self.set(old, None);
        self.set(new, Some(source));
        Some(())
    }

    /// The tree as it is now, or as it was synced.
    fn files(&self, synced: bool) -> Files {
        let mut files = Files::new();
        let mut open = vec![(PathBuf::new(), ROOT)];
        while let Some((path, id)) = open.pop() {
            match &self.0[id] {
                Node::File(file) => {
                    files.insert(path, Some(if synced { file.synced.clone() } else { file.now.clone() }));
                }
                Node::Folder(folder) => {
                    let names = if synced { &folder.synced } else { &folder.now };
                    open.extend(names.iter().map(|(name, &id)| (path.join(name), id)));
                    files.insert(path, None);
                }
            }
        }
        files.remove(&PathBuf::new());
        files
    }

    /// What every cut must leave: names and contents that were synced and not touched since.
    fn settled(&self) -> Files {
        let mut files = Files::new();
        let mut open = vec![(PathBuf::new(), ROOT)];
        while let Some((path, id)) = open.pop() {
            let Node::Folder(folder) = &self.0[id] else { continue };
            for (name, &id) in folder.synced.iter().filter(|(name, _)| !folder.touched.contains(*name)) {
                let path = path.join(name);
                match &self.0[id] {
                    Node::File(file) if !file.changed => {
                        files.insert(path, Some(file.now.clone()));
                    }
                    Node::File(_) => {}
                    Node::Folder(_) => {
                        files.insert(path.clone(), None);
                        open.push((path, id));
                    }
                }
            }
        }
        files
    }
}

fn file_name() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just("c")].prop_map(str::to_owned)
}

fn folder_name() -> impl Strategy<Value = String> {
    prop_oneof![Just("d"), Just("e")].prop_map(str::to_owned)
}

fn file_path() -> impl Strategy<Value = String> {
    (prop_oneof![2 => Just(""), 1 => Just("d/"), 1 => Just("e/")], file_name())
        .prop_map(|(folder, name)| format!("{folder}{name}"))
}

/// Two names in one folder: between folders a rename ties their syncs together.
fn file_pair() -> impl Strategy<Value = (String, String)> {
    (file_path(), file_name()).prop_map(|(path, name)| {
        let holder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        (path, format!("{holder}{name}"))
    })
}

fn text() -> impl Strategy<Value = String> {
    "[a-z]{1,12}"
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => file_path().prop_map(Step::Create),
        4 => (file_path(), text()).prop_map(|(path, text)| Step::Append(path, text)),
        3 => (file_path(), 0..20_u64, text()).prop_map(|(path, at, text)| Step::WriteAt(path, at, text)),
        2 => (file_path(), 0..20_u64).prop_map(|(path, size)| Step::Resize(path, size)),
        4 => file_path().prop_map(Step::Sync),
        4 => prop_oneof![Just(".".to_owned()), folder_name()].prop_map(Step::SyncFolder),
        3 => file_pair().prop_map(|(from, to)| Step::Rename(from, to)),
        2 => (file_path(), file_path()).prop_map(|(from, to)| Step::Link(from, to)),
        2 => file_path().prop_map(Step::Remove),
        3 => folder_name().prop_map(Step::MakeFolder),
        1 => folder_name().prop_map(Step::RemoveFolder),
        1 => (folder_name(), folder_name()).prop_map(|(from, to)| Step::Rename(from, to)),
    ]
}

fn modelled(steps: &[Step]) -> Model {
    let mut model = Model::new();
    for step in steps {
        // A step that fails is a case like others.
        let _ = model.step(step);
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dropping_all_leaves_what_the_model_says(steps in prop::collection::vec(step(), 1..60)) {
        let Some(mut stage) = Stage::new("dropping_all_leaves_what_the_model_says") else { return Ok(()) };
        let model = modelled(&steps);
        stage.run(&steps);
        prop_assert_eq!(stage.files(), model.files(false), "the model does what the file system does");
        let report = stage.cut(Mode::DropAll);
        prop_assert_eq!(stage.files(), model.files(true), "{}", report);
    }

    #[test]
    fn a_random_cut_leaves_what_was_synced(steps in prop::collection::vec(step(), 1..60), seed: u64) {
        let Some(mut stage) = Stage::new("a_random_cut_leaves_what_was_synced") else { return Ok(()) };
        let model = modelled(&steps);
        stage.run(&steps);
        let report = stage.cut(Mode::Random { seed });
        let left = stage.files();
        for (path, content) in model.settled() {
            prop_assert_eq!(left.get(&path), Some(&content), "{:?}: {}", path, report);
        }
    }
}

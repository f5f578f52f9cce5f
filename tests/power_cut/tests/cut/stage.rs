//! Where a program is started, killed, and what is left of its files.
//!
//! Invariant: a program is killed only when it says that it has done all that
//! it was told, and its folder goes with the stage.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use stempoint_power_cut::{Mode, PowerCut, PowerCutError, Report};
use tempfile::TempDir;

use crate::steps::Step;

/// What a program prints when it is ready to be killed.
pub(crate) const READY: &str = "ready to be killed";

/// A folder's files with their content; `None` for folders.
pub(crate) type Files = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// A watched folder.
pub(crate) struct Stage {
    pub(crate) power: PowerCut,
    _holder: TempDir,
}

impl Stage {
    /// A stage, or `None` with a word about the test that is left out.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let holder = tempfile::tempdir().expect("a temporary folder");
        let root = holder.path().join("root");
        fs::create_dir(&root).expect("a folder");
        match PowerCut::new(&root) {
            Ok(power) => Some(Self { power, _holder: holder }),
            Err(error @ PowerCutError::Unavailable { .. }) => {
                println!("left out: {test}: {error}");
                println!("to run it: install a C compiler (cc, or name one in CC), then");
                println!("  touch tests/power_cut/build.rs; cargo test --release -p stempoint-power-cut {test}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.power.root()
    }

    /// Runs the steps in a process of their own and kills it with SIGKILL.
    pub(crate) fn run(&self, steps: &[Step]) {
        let lines: Vec<String> = steps.iter().map(Step::line).collect();
        kill_when_ready(self.program("steps", &lines.join("\n")));
    }

    /// Starts one of this binary's programs, watched.
    pub(crate) fn program(&self, name: &str, argument: &str) -> Child {
        self.start(&mut program(name, argument))
    }

    /// Starts any program in the root, watched.
    pub(crate) fn start(&self, command: &mut Command) -> Child {
        command.current_dir(self.root()).stdin(Stdio::piped()).stdout(Stdio::piped());
        self.power.command(command).spawn().expect("the program starts")
    }

    pub(crate) fn cut(&mut self, mode: Mode) -> Report {
        self.power.cut(mode).unwrap_or_else(|error| panic!("{mode}: {error}"))
    }

    pub(crate) fn files(&self) -> Files {
        read_files(self.root())
    }
}

/// One of this binary's programs.
pub(crate) fn program(name: &str, argument: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["programs::program", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("POWER_CUT_PROGRAM", name).env("POWER_CUT_ARGUMENT", argument);
    command
}

/// Waits until the program says that it is ready, kills it and waits for its end.
pub(crate) fn kill_when_ready(mut program: Child) {
    let ready = is_ready(&mut program);
    program.kill().expect("it can be killed");
    let status = program.wait().expect("it ends");
    assert!(ready, "the program ended before it was ready: {status}");
}

/// Waits until the program says that it is ready; false when it ends before.
pub(crate) fn is_ready(program: &mut Child) -> bool {
    let output = program.stdout.take().expect("its output");
    BufReader::new(output).lines().map_while(Result::ok).any(|line| line.ends_with(READY))
}

/// All files and folders below `root`.
pub(crate) fn read_files(root: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).expect("a folder") {
            let entry = entry.expect("an entry");
            let path = folder.join(entry.file_name());
            if entry.file_type().expect("its type").is_dir() {
                folders.push(path.clone());
                files.insert(path, None);
            } else {
                files.insert(path, Some(fs::read(entry.path()).expect("a file")));
            }
        }
    }
    files
}

/// The files that `listed` names, for comparison; folders end in a slash.
pub(crate) fn expected(listed: &[(&str, &str)]) -> Files {
    let entry = |(path, text): &(&str, &str)| match path.strip_suffix('/') {
        Some(folder) => (PathBuf::from(folder), None),
        None => (PathBuf::from(path), Some(text.as_bytes().to_vec())),
    };
    listed.iter().map(entry).collect()
}

//! Running the program on a data folder of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest that a server may take to start or to stop.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something that is waited for.
pub const LOOK: Duration = Duration::from_millis(5);

/// A data folder that is gone when the test ends.
pub struct Books {
    folder: tempfile::TempDir,
    kafka: Option<Kafka>,
}

/// A Kafka cluster, and topics there that nobody else uses.
#[derive(Debug, Clone)]
pub struct Kafka {
    pub brokers: String,
    pub prefix: String,
}

impl Books {
    /// On the embedded log.
    pub fn new() -> Books {
        Books { folder: tempfile::tempdir().expect("a temporary folder can be made"), kafka: None }
    }

    /// On new topics of a Kafka cluster.
    pub fn on_kafka(brokers: &str) -> Books {
        let prefix = format!("test-{:016x}", fastrand::u64(..));
        let kafka = Kafka { brokers: brokers.to_owned(), prefix };
        Books { kafka: Some(kafka), ..Books::new() }
    }

    /// The cluster, where there is one.
    pub fn kafka(&self) -> Option<&Kafka> {
        self.kafka.as_ref()
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder within it, which the program makes.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The data folder of a second machine, whose lake is the same. The lake
    /// is there already.
    pub fn other_data(&self) -> PathBuf {
        let other = self.folder.path().join("other");
        if !other.exists() {
            std::fs::create_dir(&other).expect("a folder can be made");
            std::os::unix::fs::symlink(self.data().join("lake"), other.join("lake")).expect("a link can be made");
        }
        other
    }

    /// Writes a file beside the data folder.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file can be written");
        path
    }

    /// A command on the data folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_on(&self.data(), arguments)
    }

    /// A command on a data folder.
    pub fn command_on(&self, data: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stempoint"));
        for variable in ["STEMPOINT_CRASH_AT", "STEMPOINT_FREEZE_AT", "STEMPOINT_BROKERS", "STEMPOINT_DATA", "RUST_LOG"]
        {
            command.env_remove(variable);
        }
        command.arg("--data").arg(data);
        if let Some(kafka) = &self.kafka {
            command.args(["--kafka", &kafka.brokers, "--topic-prefix", &kafka.prefix]);
        }
        command.args(arguments);
        command
    }

    /// Takes calls of one model on one node from rows of CSV.
    pub fn import_calls(&self, source: &str, rows: &str) {
        const SELECT: &str = "SELECT id, at AS time, customer, 'code-1' AS model, 'node-1' AS provider, \
                              tokens AS input_tokens, 0 AS output_tokens FROM input";
        let file = self.file(&format!("{source}.csv"), &format!("id,at,customer,tokens\n{rows}"));
        self.run(&["import", "api_call", &file.to_string_lossy(), "--source", source, "--select", SELECT]);
    }

    /// The accounts that meet a condition with what they hold, by their names.
    pub fn balances(&self, condition: &str) -> Vec<String> {
        let rows = self.sql(&format!("SELECT account, balance FROM balances WHERE {condition} ORDER BY account"));
        rows.iter().map(|row| format!("{} {}", row["account"], row["balance"]).replace('"', "")).collect()
    }

    /// Runs a command and gives what it printed, whatever its exit code.
    pub fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program can be started")
    }

    /// Runs a command that must succeed; gives its standard output.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?} failed:\n{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs a command that must fail; gives its standard error.
    pub fn fail(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeded:\n{}", text(&output.stdout));
        let error = text(&output.stderr);
        assert!(!error.contains("panicked"), "{arguments:?} panicked:\n{error}");
        error
    }

    /// Asks in SQL.
    pub fn sql(&self, query: &str) -> Vec<Value> {
        serde_json::from_str(&self.run(&["sql", query, "--format", "json"])).expect("the answer is JSON")
    }

    /// Folds and settles everything again, from the log and from the lake: the
    /// rows must be the same.
    pub fn rebuild(&self) {
        for from in ["log", "lake"] {
            let into = self.folder().join(from);
            let said = self.run(&["rebuild", "--from", from, "--into", &into.to_string_lossy()]);
            assert!(said.starts_with("identical"), "from the {from}: {said}");
        }
    }

    /// Starts a server on a free port.
    pub fn serve(&self, prepare: impl FnOnce(&mut Command), arguments: &[&str]) -> Server {
        self.serve_on(&self.data(), prepare, arguments)
    }

    /// Starts a server with a data folder on a free port.
    pub fn serve_on(&self, data: &Path, prepare: impl FnOnce(&mut Command), arguments: &[&str]) -> Server {
        let mut command = self.command_on(data, &["up", "--listen", "127.0.0.1:0"]);
        command.args(arguments);
        prepare(&mut command);
        let mut process = Process::start(&mut command);
        let begun = Instant::now();
        loop {
            let has_ended = process.has_ended();
            let said = process.said();
            let address = said.split_once("events at http://").and_then(|(_, rest)| rest.split_once('/'));
            if let Some((address, _)) = address {
                return Server { process, address: address.parse().ok() };
            }
            if has_ended {
                return Server { process, address: None };
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not start:\n{said}");
            std::thread::sleep(LOOK);
        }
    }
}

/// A running program.
pub struct Process {
    child: Child,
    said: Arc<Mutex<String>>,
    /// Reads what it says, so that the pipe never fills.
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts it; what it prints is thrown away, what it says is kept.
    pub fn start(command: &mut Command) -> Process {
        command.stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("the program can be started");
        let mut lines = BufReader::new(child.stderr.take().expect("standard error is a pipe"));
        let said = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).unwrap_or(0) > 0 {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push_str(&line);
                line.clear();
            }
        });
        Process { child, said, reader: Some(reader) }
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the process can be asked").is_some()
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill can be run").success(), "the process takes a signal");
    }

    /// Asks it to stop with SIGTERM as soon as it listens for that, unless it
    /// has ended; one that has just been started would end by the signal itself.
    pub fn ask_to_stop(&mut self) {
        let begun = Instant::now();
        while !self.listens() {
            if self.has_ended() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not listen for signals:\n{}", self.said());
            std::thread::sleep(LOOK);
        }
        self.signal("TERM");
    }

    /// Whether it handles SIGTERM, which is number 15.
    fn listens(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & (1 << 14) != 0)
    }

    /// Whether it was stopped by a signal and waits for another.
    pub fn is_frozen(&self) -> bool {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        state.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
    }

    /// Kills it with SIGKILL. It must not have ended for any other reason, and
    /// must not have panicked.
    pub fn kill(mut self) -> String {
        let (status, said) = self.end_by_kill();
        assert!(status.signal() == Some(9), "it ended by itself with {status}:\n{said}");
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    /// Kills it with SIGKILL if it still runs; gives how it ended and what it
    /// said.
    pub fn end_by_kill(&mut self) -> (ExitStatus, String) {
        // It can have killed itself already.
        let _ = self.child.kill();
        self.wait()
    }

    /// Asks it to stop with SIGTERM, which it must do without an error; gives
    /// what it said.
    pub fn stop(mut self) -> String {
        self.signal("TERM");
        let (status, said) = self.end();
        assert!(status.success(), "it ended with {status}:\n{said}");
        said
    }

    /// Waits as long as a process may take that was asked to stop.
    pub fn end(&mut self) -> (ExitStatus, String) {
        let begun = Instant::now();
        while !self.has_ended() {
            assert!(begun.elapsed() < PATIENCE, "it does not stop:\n{}", self.said());
            std::thread::sleep(LOOK);
        }
        self.wait()
    }

    fn wait(&mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("the process can be waited for");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("what it says can be read");
        }
        (status, self.said())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Only this test's own process.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running `stempoint up`.
pub struct Server {
    process: Process,
    /// Where it listens; `None` where it ended before.
    pub address: Option<SocketAddr>,
}

impl Server {
    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        let address = self.address.unwrap_or_else(|| panic!("the server did not start:\n{}", self.process.said()));
        format!("http://{address}{path}")
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.process.has_ended()
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(self) -> String {
        self.process.kill()
    }

    /// Waits until it ends by itself.
    pub fn end(mut self) -> (ExitStatus, String) {
        self.process.end()
    }

    /// Asks it to stop with SIGTERM; gives what it said.
    pub fn stop(self) -> String {
        self.process.stop()
    }
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A decimal as the output has it, as an integer of 10^-`scale`.
pub fn scaled(value: &Value, scale: u32) -> i128 {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => "0".to_owned(),
        other => other.to_string(),
    };
    stempoint_schemas::decimal::parse(&text, scale).unwrap_or_else(|error| panic!("{value}: {error}"))
}

//! Running the program on a data folder of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest that a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A data folder that is gone when the test ends.
pub struct Books {
    folder: tempfile::TempDir,
}

impl Books {
    pub fn new() -> Books {
        Books { folder: tempfile::tempdir().expect("a temporary folder can be made") }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder within it, which the program makes.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes a file beside the data folder.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file can be written");
        path
    }

    /// A command on the data folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stempoint"));
        command.arg("--data").arg(self.data()).args(arguments).env_remove("STEMPOINT_CRASH_AT").env_remove("RUST_LOG");
        command
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

    /// Starts a server on a free port.
    pub fn serve(&self, prepare: impl FnOnce(&mut Command), arguments: &[&str]) -> Server {
        let mut command = self.command(&["up", "--listen", "127.0.0.1:0"]);
        command.args(arguments).stderr(Stdio::piped()).stdout(Stdio::null());
        prepare(&mut command);
        let mut child = command.spawn().expect("the server can be started");
        let mut lines = BufReader::new(child.stderr.take().expect("standard error is a pipe"));
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            if lines.read_line(&mut line).unwrap_or(0) == 0 {
                break None;
            }
            said.push_str(&line);
            if let Some(address) = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()) {
                break address.parse().ok();
            }
        };
        // What it says later must not fill the pipe.
        let rest = std::thread::spawn(move || {
            let mut text = String::new();
            while lines.read_line(&mut text).unwrap_or(0) > 0 {}
            text
        });
        Server { child, address, said, rest: Some(rest) }
    }
}

/// A running `stempoint up`.
pub struct Server {
    child: Child,
    /// Where it listens; `None` where it ended before.
    pub address: Option<SocketAddr>,
    said: String,
    rest: Option<std::thread::JoinHandle<String>>,
}

impl Server {
    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        let address = self.address.unwrap_or_else(|| panic!("the server did not start:\n{}", self.said));
        format!("http://{address}{path}")
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the process can be asked").is_some()
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(mut self) -> String {
        // It can have killed itself already.
        let _ = self.child.kill();
        self.child.wait().expect("the process can be waited for");
        self.everything()
    }

    /// Asks it to stop with SIGTERM; gives what it said.
    pub fn stop(mut self) -> String {
        let killed = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        assert!(killed.expect("kill can be run").success());
        let begun = Instant::now();
        while !self.has_ended() {
            assert!(begun.elapsed() < PATIENCE, "the server does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
        let status = self.child.wait().expect("the process can be waited for");
        let said = self.everything();
        assert!(status.success(), "the server ended with {status}:\n{said}");
        said
    }

    fn everything(&mut self) -> String {
        let rest = self.rest.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        format!("{}{rest}", self.said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only this test's own process.
        let _ = self.child.kill();
        let _ = self.child.wait();
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

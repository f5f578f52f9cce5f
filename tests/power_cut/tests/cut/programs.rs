//! The programs under test: this binary again, told by its environment what to do.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::{Arc, Barrier};

use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use crate::stage::READY;
use crate::steps::Step;

/// How many threads the program `threads` has, and how many writes each makes.
pub(crate) const THREADS: usize = 4;
pub(crate) const WRITES: usize = 500;

/// What `churn` prints before the number up to which all are durable.
pub(crate) const DURABLE: &str = "durable up to ";

#[test]
#[ignore = "the other tests start it as a process of its own"]
fn program() {
    let Ok(name) = std::env::var("POWER_CUT_PROGRAM") else { return };
    let argument = std::env::var("POWER_CUT_ARGUMENT").unwrap_or_default();
    match name.as_str() {
        "steps" => perform(&argument),
        "engine" => engine(),
        "churn" => churn(argument.parse().expect("a number")),
        "threads" => threads(),
        "speed" => speed(&argument),
        other => panic!("no program is called {other}"),
    }
    park();
}

/// Says that all is done and waits for the end.
fn park() {
    println!("\n{READY}");
    io::stdout().flush().expect("the output");
    let _ = io::stdin().read(&mut [0]);
}

/// Steps that fail change nothing, and the next one is tried: random ones rely on it.
fn perform(lines: &str) {
    for line in lines.lines() {
        let step = Step::parse(line).unwrap_or_else(|| panic!("not a step: {line}"));
        if let Err(error) = step.perform() {
            println!("{line}: {error}");
        }
    }
}

/// A storage engine with keys that were persisted, and keys that were only handed to the system.
fn engine() {
    let db = Database::builder(Path::new("db")).open().expect("a database");
    let keys = db.keyspace("keys", KeyspaceCreateOptions::default).expect("a keyspace");
    for number in 0..1_000 {
        keys.insert(format!("synced {number}"), "value").expect("an insert");
    }
    db.persist(PersistMode::SyncAll).expect("a sync");
    // The engine syncs neither the folder that holds it nor the one that holds its keyspaces.
    File::open("db/keyspaces").expect("a folder").sync_all().expect("a sync");
    File::open(".").expect("the root").sync_all().expect("a sync");
    for number in 0..1_000 {
        keys.insert(format!("unsynced {number}"), "value").expect("an insert");
    }
    db.persist(PersistMode::Buffer).expect("a flush");
    std::mem::forget(db);
}

/// What the program `churn` stores under a number.
pub(crate) fn churned(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(40)
}

/// A storage engine that flushes and compacts all the time, and says which numbers are durable.
fn churn(first: u64) {
    let db = Database::builder(Path::new("db")).open().expect("a database");
    let options = || KeyspaceCreateOptions::default().max_memtable_size(64 * 1024);
    let keys = db.keyspace("keys", options).expect("a keyspace");
    File::open("db/keyspaces").expect("a folder").sync_all().expect("a sync");
    File::open(".").expect("the root").sync_all().expect("a sync");
    for number in first..first + 100_000 {
        keys.insert(number.to_be_bytes(), churned(number)).expect("an insert");
        if number % 50 == 0 {
            db.persist(PersistMode::SyncAll).expect("a sync");
            println!("\n{DURABLE}{number}");
        }
    }
}

/// Threads that append to one file, each through a descriptor of its own, and rename files meanwhile.
fn threads() {
    File::create("shared").expect("a file").sync_all().expect("a sync");
    let start = Arc::new(Barrier::new(THREADS));
    let work = |thread: usize, start: Arc<Barrier>| {
        move || {
            start.wait();
            let mut file = OpenOptions::new().append(true).open("shared").expect("the file");
            for number in 0..WRITES {
                file.write_all(format!("{thread:02} {number:05}\n").as_bytes()).expect("a write");
                let name = format!("{thread}-{number}");
                fs::write(&name, &name).expect("a file");
                fs::rename(&name, thread.to_string()).expect("a rename");
            }
        }
    };
    let all: Vec<_> = (0..THREADS).map(|thread| std::thread::spawn(work(thread, Arc::clone(&start)))).collect();
    all.into_iter().for_each(|thread| thread.join().expect("a thread"));
    File::open("shared").expect("the file").sync_all().expect("a sync");
    File::open(".").expect("the root").sync_all().expect("a sync");
    OpenOptions::new().append(true).open("shared").expect("the file").write_all(b"lost").expect("a write");
}

/// Prints how long appends, overwrites and renames take, in nanoseconds each.
fn speed(rounds: &str) {
    let rounds: u32 = rounds.parse().expect("a number");
    let time = |what: &str, mut one: Box<dyn FnMut(u32)>| {
        let start = std::time::Instant::now();
        (0..rounds).for_each(&mut *one);
        println!("{what}: {} ns", start.elapsed().as_nanos() / u128::from(rounds));
    };
    let mut appended = File::create("appended").expect("a file");
    time("append 100 bytes", Box::new(move |_| appended.write_all(&[7; 100]).expect("a write")));
    let mut large = File::create("large").expect("a file");
    let block = vec![7; 16 * 1024];
    time("append 16 KiB", Box::new(move |_| large.write_all(&block).expect("a write")));
    let mut over = File::create("over").expect("a file");
    time(
        "overwrite 100 bytes",
        Box::new(move |_| {
            over.rewind().expect("a seek");
            over.write_all(&[7; 100]).expect("a write");
        }),
    );
    let mut outside = OpenOptions::new().write(true).open("/dev/null").expect("a device");
    time("write to a device", Box::new(move |_| outside.write_all(&[7; 100]).expect("a write")));
    time(
        "create, rename and remove",
        Box::new(|_| {
            fs::write("one", "x").expect("a file");
            fs::rename("one", "two").expect("a rename");
            fs::remove_file("two").expect("a removal");
        }),
    );
}

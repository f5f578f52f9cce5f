//! A disk that is full or read-only. A small file system in memory is mounted
//! for it, which needs rights that not everybody has; where they are missing
//! the tests say so.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{SELECT, complete, import, refused};
use crate::harness::{Books, text};

/// A mounted file system over a folder; it is gone when this is dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None` where mounting is not allowed, which is said.
    fn over(folder: PathBuf, size: &str, test: &str) -> Option<Disk> {
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        let options = format!("size={size}");
        match mount(&["-t", "tmpfs", "-o", &options, "stempoint-test"], &folder) {
            Ok(()) => Some(Disk(folder)),
            Err(why) => {
                eprintln!("left out: damage::disk::{test} (mounting a tmpfs needs root: {why})");
                None
            }
        }
    }

    fn remount(&self, options: &str) {
        mount(&["-o", &format!("remount,{options}")], &self.0).expect("what was mounted can be mounted again");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, so that a test that fails leaves nothing behind.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str], folder: &Path) -> Result<(), String> {
    match Command::new("mount").args(arguments).arg(folder).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(text(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Rows with much text, so that few of them fill the disk.
fn large_file(books: &Books, rows: u64) -> String {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut noise = || -> String { (0..240).map(|_| rng.alphanumeric()).collect() };
    let lines: String = (1..=rows).map(|tokens| format!("{tokens},{},{}\n", noise(), noise())).collect();
    books.file("large.csv", &format!("tokens,region,status\n{lines}")).to_string_lossy().into_owned()
}

#[test]
fn a_full_disk_is_named_and_once_it_has_space_again_nothing_is_lost() {
    let books = Books::new();
    let Some(disk) = Disk::over(books.data(), "40m", "a_full_disk") else { return };
    import(&books, "one", 1_000);
    let rows = 60_000;
    let file = large_file(&books, rows);
    let select = SELECT.replace(" FROM input", ", region, status FROM input");
    let large = ["import", "api_call", &file, "--source", "large", "--select", &select];
    // Again and again changes nothing.
    for _ in 0..2 {
        refused(&books, &large, &["disk"]);
    }
    assert_eq!(books.sql("SELECT count(*) AS n FROM api_calls WHERE source = 'import/one'")[0]["n"], 1_000);
    disk.remount("size=1g");
    let counts = books.run(&large);
    assert!(counts.contains(&format!("received {rows}, ")), "{counts}");
    assert!(counts.contains("rejected 0"), "{counts}");
    complete(&books, &[("one", 1_000), ("large", rows)]);
}

#[test]
fn a_server_on_a_full_disk_stops_with_the_reason_and_keeps_what_it_acknowledged() {
    let books = Books::new();
    let Some(disk) = Disk::over(books.data(), "40m", "a_server_on_a_full_disk") else { return };
    fill_up(&books, &disk);
}

/// The folds have a disk of their own and would go on for ever.
#[test]
fn a_server_whose_log_alone_is_full_stops_as_well() {
    let books = Books::new();
    let Some(disk) = Disk::over(books.data().join("log"), "40m", "a_server_whose_log_alone_is_full") else { return };
    fill_up(&books, &disk);
}

/// Sends events until the server takes no more; it must end on its own, so that
/// it can be started again.
fn fill_up(books: &Books, disk: &Disk) {
    let mut server = books.serve(|_| (), &["--commit-interval-ms", "20"]);
    let mut rng = fastrand::Rng::with_seed(8);
    let mut acknowledged = 0_u64;
    while !server.has_ended() {
        let events: Vec<String> = (0..200).map(|number| event(acknowledged + number, &mut rng)).collect();
        let body = format!("[{}]", events.join(","));
        let answer = ureq::post(server.url("/api/v1/events")).content_type("application/json").send(&body);
        match answer {
            Ok(_) => acknowledged += 200,
            Err(_) => break,
        }
        assert!(acknowledged < 1_000_000, "the disk never fills up");
    }
    let (status, said) = server.end();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("disk") && !said.contains("panicked"), "{said}");
    disk.remount("size=1g");
    books.run(&["invoice", "acme", "2024-01"]);
    let found = books.sql("SELECT count(*) AS n FROM api_calls")[0]["n"].as_u64().expect("a number");
    assert!(
        (acknowledged..=acknowledged + 200).contains(&found),
        "{acknowledged} were acknowledged, {found} are there"
    );
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
}

fn event(id: u64, rng: &mut fastrand::Rng) -> String {
    let noise: String = (0..250).map(|_| rng.alphanumeric()).collect();
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"sdk","type":"api_call","subject":"acme","time":"2024-01-01T00:00:00Z",
            "data":{{"model":"m","provider":"n","input_tokens":1,"output_tokens":1,"region":"{noise}","status":"{noise}"}}}}"#
    )
}

#[test]
fn a_read_only_folder_can_be_asked_and_not_written_to() {
    let books = Books::new();
    let Some(disk) = Disk::over(books.data(), "200m", "a_read_only_folder") else { return };
    import(&books, "one", 100);
    let file = books.file("two.csv", "tokens\n1\n2\n").to_string_lossy().into_owned();
    let two = ["import", "api_call", &file, "--source", "two", "--select", SELECT];
    disk.remount("ro");
    for command in [
        &two[..],
        &["up", "--listen", "127.0.0.1:0"],
        &["maintain"],
        &["waive", "requests", "2024-01", "--reason", "x"],
    ] {
        refused(&books, command, &["Read-only file system"]);
    }
    complete(&books, &[("one", 100)]);
    disk.remount("rw");
    assert_eq!(books.run(&two).trim(), "received 2, accepted 2, duplicate 0, rejected 0");
    complete(&books, &[("one", 100), ("two", 2)]);
}

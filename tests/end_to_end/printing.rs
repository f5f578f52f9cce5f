//! Standard output that nobody reads, or that is full.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::{Output, Stdio};

use crate::bad_input::books_with_calls;
use crate::harness::{Books, text};

/// Runs a command whose output nobody reads any more.
fn unread(books: &Books, arguments: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let mut command = books.command(arguments);
    let temporary = books.folder().join("temporary");
    std::fs::create_dir_all(&temporary).expect("a folder can be made");
    command.env("TMPDIR", &temporary).stdout(writer);
    let output = command.output().expect("the program can be started");
    let left = std::fs::read_dir(&temporary).expect("the folder is there").count();
    assert_eq!(left, 0, "{arguments:?} left files in the folder for temporary ones");
    output
}

/// As `head` and the like end what writes to them.
#[test]
fn a_command_ends_without_a_word_where_nobody_reads_what_it_prints() {
    let books = books_with_calls(3);
    for arguments in [
        &["views"][..],
        &["views", "audit_entries"],
        &["audit"],
        &["head"],
        &["sql", "SELECT * FROM generate_series(1, 1000000)", "--format", "csv"],
        &["sql", "SELECT 1", "--format", "json"],
        &["trial-balance"],
        &["prices", "list"],
        &["profile", "list"],
        &["prove", "--at", "0:0"],
    ] {
        let output = unread(&books, arguments);
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(141), ""), "{arguments:?}");
    }
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
}

#[test]
fn the_rest_is_not_made_once_the_reader_has_enough() {
    let books = books_with_calls(1);
    let mut command = books.command(&["sql", "SELECT * FROM generate_series(1, 100000000000)", "--format", "csv"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program can be started");
    let mut first = [0; 8];
    child.stdout.take().expect("a pipe").read_exact(&mut first).expect("there are rows");
    assert_eq!(&first, b"value\n1\n");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(141), ""));
}

#[test]
fn a_full_disk_is_an_error() {
    let books = books_with_calls(1);
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
        eprintln!("left out: printing::a_full_disk_is_an_error needs /dev/full");
        return;
    };
    for arguments in [&["audit"][..], &["views"], &["sql", "SELECT 1"], &["head"]] {
        let writer: File = full.try_clone().expect("it can be shared");
        let output = books.command(arguments).stdout(writer).output().expect("the program can be started");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.starts_with("error: ") && said.contains("No space left"), "{arguments:?}: {said}");
    }
}

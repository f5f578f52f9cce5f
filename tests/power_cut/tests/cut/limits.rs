//! Other programs, other ways to write, and what is refused because it cannot be followed.

use std::process::{Command, Stdio};

use stempoint_power_cut::{Mode, PowerCutError};

use crate::stage::{Stage, expected, is_ready, program};
use crate::steps::Step;

/// Runs a shell script in the root, watched, to its end.
fn shell(stage: &Stage, script: &str) {
    let mut command = Command::new("sh");
    command.args(["-ec", script]);
    let output = stage.start(&mut command).wait_with_output().expect("the shell ends");
    assert!(output.status.success(), "{script}: {}", output.status);
}

#[test]
fn c_programs_and_their_children_are_followed() {
    let Some(mut stage) = Stage::new("c_programs_and_their_children_are_followed") else { return };
    shell(&stage, "echo one > a; sync a .; echo two >> a; mkdir d; cp a d/b; mv d/b c; ln a e; rm a; sync c");
    let all = expected(&[("c", "one\ntwo\n"), ("d/", ""), ("e", "one\ntwo\n")]);
    assert_eq!(stage.files(), all, "before the cut all is there");
    stage.cut(Mode::DropAll);
    assert_eq!(stage.files(), expected(&[("a", "one\n")]));
}

#[test]
fn a_sync_of_everything_keeps_everything() {
    let Some(mut stage) = Stage::new("a_sync_of_everything_keeps_everything") else { return };
    shell(&stage, "echo one > a; mkdir d; echo two > d/b; sync; echo three > d/c; rm a");
    stage.cut(Mode::DropAll);
    assert_eq!(stage.files(), expected(&[("a", "one\n"), ("d/", ""), ("d/b", "two\n")]));
}

#[test]
fn files_that_cross_the_border_of_the_root_are_followed() {
    let Some(mut stage) = Stage::new("files_that_cross_the_border_of_the_root_are_followed") else { return };
    shell(&stage, "echo one > a; sync a .; mv a ../gone; echo two > ../b; mv ../b b; sync .; echo three >> b");
    stage.cut(Mode::DropAll);
    // The move away was synced; of what came in only the name was.
    assert_eq!(stage.files(), expected(&[("b", "")]));
}

/// Threads of librdkafka do the same.
#[test]
fn a_program_that_blocks_every_signal_is_followed() {
    let test = "a_program_that_blocks_every_signal_is_followed";
    let Some(mut stage) = Stage::new(test) else { return };
    let script = "use POSIX qw(:signal_h); my $all = POSIX::SigSet->new; $all->fillset;
        sigprocmask(SIG_BLOCK, $all) or die; open(my $file, '>', 'a') or die; rename('a', 'b') or die;";
    let mut command = Command::new("perl");
    command.args(["-e", script]).current_dir(stage.root());
    match stage.power.command(&mut command).status() {
        Err(error) => println!("left out: {test}: {error}; to run it: install perl"),
        Ok(status) => {
            assert!(status.success(), "{status}");
            assert_eq!(stage.files(), expected(&[("b", "")]), "before the cut it is there");
            stage.cut(Mode::DropAll);
            assert_eq!(stage.files(), expected(&[]));
        }
    }
}

#[test]
fn a_cut_while_a_process_runs_is_refused() {
    let Some(mut stage) = Stage::new("a_cut_while_a_process_runs_is_refused") else { return };
    let mut program = stage.program("steps", &Step::Create("a".to_owned()).line());
    assert!(is_ready(&mut program), "the program waits to be killed");
    let refused = stage.power.cut(Mode::DropAll);
    assert!(matches!(refused, Err(PowerCutError::StillRunning { .. })), "{refused:?}");
    program.kill().expect("it can be killed");
    program.wait().expect("it ends");
    stage.cut(Mode::DropAll);
}

#[test]
fn a_change_behind_the_librarys_back_is_an_error() {
    let Some(mut stage) = Stage::new("a_change_behind_the_librarys_back_is_an_error") else { return };
    stage.run(&[Step::Create("a".to_owned())]);
    std::fs::write(stage.root().join("b"), "unseen").expect("a file");
    let error = stage.power.cut(Mode::DropAll).expect_err("the cut is refused");
    assert!(matches!(&error, PowerCutError::Untracked { path, .. } if path.as_os_str() == "b"), "{error}");
    std::fs::remove_file(stage.root().join("b")).expect("it goes");
    std::fs::write(stage.root().join("a"), "unseen").expect("a file");
    let error = stage.power.cut(Mode::DropAll).expect_err("the cut is refused");
    assert!(matches!(&error, PowerCutError::Untracked { path, .. } if path.as_os_str() == "a"), "{error}");
}

#[test]
fn a_cut_without_a_watched_process_is_an_error() {
    let Some(mut stage) = Stage::new("a_cut_without_a_watched_process_is_an_error") else { return };
    let refused = stage.power.cut(Mode::DropAll);
    assert!(matches!(refused, Err(PowerCutError::NotLoaded)), "{refused:?}");
}

/// Prints what the library costs.
#[test]
#[ignore = "a measurement: cargo test --release -p stempoint-power-cut -- --ignored --nocapture speed"]
fn speed() {
    let Some(stage) = Stage::new("speed") else { return };
    for watched in [false, true] {
        let mut command = program("speed", "20000");
        command.current_dir(stage.root()).stdin(Stdio::null());
        if watched {
            stage.power.command(&mut command);
        }
        let output = command.output().expect("the program ends");
        println!("watched: {watched}\n{}", String::from_utf8_lossy(&output.stdout));
    }
}

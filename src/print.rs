//! Standard output.
//!
//! Invariant: where nobody reads it any more, as in `… | head`, a command ends
//! at once, without a word, with the status that shells give to a program that
//! SIGPIPE ended; what it holds is let go of on the way. Any other failure is an
//! error like all others. This holds for `println!` too: the macros below stand
//! for those of the standard library.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;

/// 128 and the number of SIGPIPE.
const CLOSED: u8 = 141;

/// Prints a line on standard output.
macro_rules! println {
    () => { $crate::print::text(format_args!("\n")) };
    ($($text:tt)*) => { $crate::print::text(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints a text on standard output.
macro_rules! print {
    ($($text:tt)*) => { $crate::print::text(format_args!($($text)*)) };
}

/// What a command is ended with that cannot print.
struct Unprinted(io::Error);

/// Standard output, for what takes a writer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        unless_closed(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        unless_closed(io::stdout().flush())
    }
}

/// Prints, or ends the command.
pub fn text(text: Arguments<'_>) {
    if let Err(error) = io::stdout().write_fmt(text) {
        end(error);
    }
}

/// Does a command's work; the code is that of the work unless printing ended it.
pub fn until_closed(work: impl FnOnce() -> ExitCode) -> ExitCode {
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let code = work();
        // What stands in the buffer is printed, or not, before the code is known.
        Output.flush().map_or_else(|error| end(error), |()| code)
    }));
    match ended.map_err(|why| why.downcast::<Unprinted>()) {
        Ok(code) => code,
        Err(Ok(unprinted)) if unprinted.0.kind() == ErrorKind::BrokenPipe => ExitCode::from(CLOSED),
        Err(Ok(unprinted)) => {
            eprintln!("error: failed to write to standard output: {}", unprinted.0);
            ExitCode::FAILURE
        }
        Err(Err(panic)) => resume_unwind(panic),
    }
}

fn unless_closed<T>(done: io::Result<T>) -> io::Result<T> {
    match done {
        // What is dropped while a command ends may want to print its rest.
        Err(error) if error.kind() == ErrorKind::BrokenPipe && !std::thread::panicking() => end(error),
        other => other,
    }
}

/// Leaves the command without calling the panic hook, so that nothing is said.
fn end(error: io::Error) -> ! {
    resume_unwind(Box::new(Unprinted(error)))
}

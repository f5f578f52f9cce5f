//! One server that dies again and again while a producer sends through its
//! door.

use std::time::{Duration, Instant};

use stempoint_power_cut::{Mode, PowerCut};

use super::compare::{apply_prices, compare};
use super::producer::Producer;
use super::{crashes, points};
use crate::harness::{Books, Server};

/// A named step must be reached within this time.
pub const REACHED_WITHIN: Duration = Duration::from_secs(30);
/// The most records that are sent at once.
const BATCH_MAX: u64 = 600;

/// How a server ends.
pub enum Death {
    /// It kills itself at a step.
    At(&'static str),
    /// It is killed after some time.
    After(Duration),
}

/// One death at each `step`-th named step.
pub fn at_points(step: usize) -> Vec<Death> {
    points::all().step_by(step).map(Death::At).collect()
}

/// Deaths at random moments.
pub fn at_random(rng: &mut fastrand::Rng) -> Vec<Death> {
    (0..crashes(8)).map(|_| Death::After(Duration::from_millis(rng.u64(20..900)))).collect()
}

/// Lets a server die in these ways, with all that was not synced dropped
/// where there is a `power` to choose by, and compares the books.
pub fn run(books: &Books, seed: u64, deaths: Vec<Death>, mut power: Option<fastrand::Rng>) {
    apply_prices(books);
    let mut producer = Producer::new(seed, BATCH_MAX);
    let (count, begun) = (deaths.len(), Instant::now());
    for death in deaths {
        let mut cutter = match &power {
            Some(_) => match PowerCut::new(&books.data()) {
                Ok(cutter) => Some(cutter),
                Err(error) => {
                    eprintln!("left out: crash::power_cut (needs a C compiler: {error})");
                    return;
                }
            },
            None => None,
        };
        live_and_die(books, &mut producer, &death, cutter.as_ref()).kill();
        if let (Some(cutter), Some(rng)) = (&mut cutter, &mut power) {
            let seed = rng.u64(..);
            let mode = if rng.bool() { Mode::Random { seed } } else { Mode::DropAll };
            let report = cutter.cut(mode).expect("the power can be cut");
            eprintln!("{mode:?}: {report}");
        }
    }
    let server = books.serve(|_| (), &["--settle-interval-s", "1"]);
    while producer.is_pending() {
        assert!(producer.send(&server), "the server takes the last batch");
    }
    server.stop();
    eprintln!("{count} deaths in {:.1} s", begun.elapsed().as_secs_f64());
    compare(books, &producer.sent);
}

/// Starts a server and feeds it until it dies or its time has come.
fn live_and_die(books: &Books, producer: &mut Producer, death: &Death, cutter: Option<&PowerCut>) -> Server {
    let arguments = ["--commit-interval-ms", "20", "--settle-interval-s", "0", "--maintenance-interval-s", "1"];
    let mut server = books.serve(
        |command| {
            if let Death::At(point) = death {
                command.env("STEMPOINT_CRASH_AT", point);
            }
            if let Some(cutter) = cutter {
                cutter.command(command);
            }
        },
        &arguments,
    );
    let begun = Instant::now();
    loop {
        match death {
            Death::After(time) if begun.elapsed() >= *time => return server,
            Death::At(point) => assert!(begun.elapsed() < REACHED_WITHIN, "{point} was not reached"),
            Death::After(_) => {}
        }
        if server.has_ended() {
            return server;
        }
        if server.address.is_some() {
            producer.send(&server);
        }
    }
}

//! One server that dies again and again while a producer sends through its
//! door.

use std::process::Command;
use std::time::{Duration, Instant};

use stempoint_power_cut::{Mode, PowerCut};

use super::compare::{apply_prices, compare};
use super::producer::Producer;
use super::{crashes, points};
use crate::harness::{Books, Server};

/// A named step must be reached within this time.
pub const REACHED_WITHIN: Duration = Duration::from_secs(30);
/// The most records that are sent at once.
const BATCH_MAX: u64 = 100;
/// After so many crashes the books are compared, and new ones are begun: the
/// more they hold, the longer a start and the comparison take.
pub const CRASHES_MAX: usize = 25;

/// How a server ends.
pub enum Death {
    /// It kills itself at a step.
    At(&'static str),
    /// It is killed after some time.
    After(Duration),
    /// It is asked to stop after some time, so that the next one finds what is
    /// kept for it.
    Asked(Duration),
}

impl Death {
    fn end(&self, server: Server) {
        match self {
            Death::At(_) | Death::After(_) => server.kill(),
            Death::Asked(_) => server.stop(),
        };
    }
}

/// One death at each `step`-th named step.
pub fn at_points(step: usize) -> Vec<Death> {
    points::all().step_by(step).map(Death::At).collect()
}

/// Deaths at random moments, with a quiet end now and then.
pub fn at_random(seed: u64) -> Vec<Death> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut deaths = Vec::new();
    for _ in 0..crashes(8) {
        let mut moment = || Duration::from_millis(rng.u64(20..900));
        deaths.push(Death::After(moment()));
        if deaths.len() % 5 == 4 {
            deaths.push(Death::Asked(moment()));
        }
    }
    deaths
}

/// Kills a server in these ways and compares the books.
pub fn killed(books: impl Fn() -> Books, seed: u64, deaths: &[Death]) {
    for deaths in deaths.chunks(CRASHES_MAX) {
        let books = books();
        let mut scenario = Scenario::new(&books, seed);
        deaths.iter().for_each(|death| death.end(scenario.live_and_die(death, None)));
        scenario.finish(deaths.len());
    }
}

/// The same, and each time what was not synced is lost, all or some of it.
pub fn power_cut(books: impl Fn() -> Books, seed: u64, deaths: &[Death]) {
    let mut rng = fastrand::Rng::with_seed(seed);
    for deaths in deaths.chunks(CRASHES_MAX) {
        let books = books();
        let mut scenario = Scenario::new(&books, seed);
        for death in deaths {
            let mut power = match PowerCut::new(&books.data()) {
                Ok(power) => power,
                Err(error) => {
                    eprintln!("left out: crash::power_cut (needs a C compiler: {error})");
                    return;
                }
            };
            death.end(scenario.live_and_die(death, Some(&power)));
            let seed = rng.u64(..);
            let mode = if rng.bool() { Mode::Random { seed } } else { Mode::DropAll };
            let report = power.cut(mode).expect("the power can be cut");
            eprintln!("{mode:?}: {report}");
        }
        scenario.finish(deaths.len());
    }
}

struct Scenario<'a> {
    books: &'a Books,
    producer: Producer,
    begun: Instant,
}

impl Scenario<'_> {
    fn new(books: &Books, seed: u64) -> Scenario<'_> {
        apply_prices(books);
        Scenario { books, producer: Producer::new(seed, BATCH_MAX), begun: Instant::now() }
    }

    /// Starts a server and feeds it until it dies or its time has come.
    fn live_and_die(&mut self, death: &Death, power: Option<&PowerCut>) -> Server {
        let prepare = |command: &mut Command| {
            if let Death::At(point) = death {
                command.env("STEMPOINT_CRASH_AT", point);
            }
            if let Some(power) = power {
                power.command(command);
            }
        };
        // Maintenance as often as it can be, so that it is killed too.
        let arguments = ["--commit-interval-ms=20", "--settle-interval-s=0", "--maintenance-interval-s=0"];
        let mut server = self.books.serve(prepare, &arguments);
        let begun = Instant::now();
        loop {
            match death {
                Death::After(time) | Death::Asked(time) if begun.elapsed() >= *time => return server,
                Death::At(point) => assert!(begun.elapsed() < REACHED_WITHIN, "{point} was not reached"),
                Death::After(_) | Death::Asked(_) => {}
            }
            if server.has_ended() {
                return server;
            }
            if server.address.is_some() {
                self.producer.send(&server);
            }
        }
    }

    /// Has a last server take what is left, and compares the books.
    fn finish(mut self, deaths: usize) {
        let server = self.books.serve(|_| (), &["--settle-interval-s=1"]);
        while self.producer.is_pending() {
            assert!(self.producer.send(&server), "the server takes the last batch");
        }
        server.stop();
        eprintln!("{deaths} deaths in {:.1} s", self.begun.elapsed().as_secs_f64());
        compare(self.books, &self.producer.sent);
    }
}

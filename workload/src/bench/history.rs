//! Which earlier events of a source a producer may send again.
//!
//! Invariant: every earlier event can be picked for ever, though only a
//! bounded number is remembered: the last ones, and a fair sample of all.

use fastrand::Rng;

/// How many of the last events are remembered.
const RECENT: usize = 32;
/// How many events of any age are remembered.
const SAMPLE: usize = 32;

/// An event that was yielded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Past {
    /// Its place in the whole stream.
    pub place: u64,
    /// Its place among the new events of its source, from 1.
    pub sequence: u64,
}

/// The past of one source.
#[derive(Debug, Clone)]
pub struct History {
    made: u64,
    recent: [Past; RECENT],
    sample: [Past; SAMPLE],
}

impl Default for History {
    fn default() -> Self {
        History { made: 0, recent: [Past::default(); RECENT], sample: [Past::default(); SAMPLE] }
    }
}

impl History {
    /// How many events were kept.
    pub const fn made(&self) -> u64 {
        self.made
    }

    /// What the event at a place of the stream is if it is the next.
    pub const fn next(&self, place: u64) -> Past {
        Past { place, sequence: self.made + 1 }
    }

    /// Remembers the next event.
    pub fn keep(&mut self, past: Past, rng: &mut Rng) {
        self.recent[(self.made % RECENT as u64) as usize] = past;
        self.made += 1;
        // Reservoir sampling: the n-th event is kept with probability SAMPLE/n.
        let slot = if self.made <= SAMPLE as u64 { self.made - 1 } else { rng.u64(..self.made) };
        if let Some(sampled) = self.sample.get_mut(slot as usize) {
            *sampled = past;
        }
    }

    /// An earlier event, of which there must be one: in nine cases of ten one
    /// of the last, the nearer the likelier (geometric, 6 back on average),
    /// else one of any age.
    pub fn pick(&self, rng: &mut Rng) -> Past {
        if rng.u32(..10) == 0 {
            return self.sample[rng.u64(..self.made.clamp(1, SAMPLE as u64)) as usize];
        }
        let most = self.made.clamp(1, RECENT as u64);
        let mut back = 1;
        while back < most && rng.u32(..6) != 0 {
            back += 1;
        }
        self.recent[(self.made.saturating_sub(back) % RECENT as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_are_mostly_recent_and_sometimes_old() {
        let mut rng = Rng::with_seed(3);
        let mut history = History::default();
        let (mut recent, mut old, mut back) = (0, 0, 0);
        for place in 0..20_000u64 {
            let next = history.next(place * 10);
            assert_eq!(next, Past { place: place * 10, sequence: place + 1 });
            history.keep(next, &mut rng);
            let past = history.pick(&mut rng);
            assert_eq!(past.place, (past.sequence - 1) * 10, "only what was kept is picked");
            assert!(past.sequence <= place + 1);
            if place + 1 - past.sequence < RECENT as u64 {
                recent += 1;
                back += place + 1 - past.sequence;
            }
            old += u64::from(past.sequence < place / 2);
        }
        assert!((17_000..19_000).contains(&recent), "{recent}");
        assert!((800..1200).contains(&old), "{old}");
        assert!((4..7).contains(&(back / recent)), "{back} / {recent}");
    }
}

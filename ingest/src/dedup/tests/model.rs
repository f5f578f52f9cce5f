//! The obvious index: maps in memory. And logs to compare the two on.

use crate::dedup::{Candidate, Identity, SEQUENCE_JUMP_MAX, Verdict};
use std::collections::HashMap;

/// What the rules say, word by word.
#[derive(Default)]
pub struct Model {
    claims: HashMap<(u128, Identity), (u64, u64)>,
    numbered: HashMap<u128, bool>,
    highest: HashMap<(u128, u64), u64>,
}

impl Model {
    pub fn check(&mut self, event: &Candidate) -> Verdict {
        let numbered = matches!(event.identity, Identity::Numbered { .. });
        match self.numbered.get(&event.source) {
            Some(true) if !numbered => return Verdict::TurnedUnnumbered,
            Some(false) if numbered => return Verdict::TurnedNumbered,
            _ => {}
        }
        if let Identity::Numbered { incarnation, sequence } = event.identity {
            let highest = self.highest.get(&(event.source, incarnation)).copied().unwrap_or(0);
            if sequence > highest + SEQUENCE_JUMP_MAX {
                return Verdict::SequenceTooFar { highest };
            }
        }
        if let Some((original, fingerprint)) = self.claims.get(&(event.source, event.identity)) {
            return if *fingerprint == event.fingerprint {
                Verdict::Duplicate { original: *original }
            } else {
                Verdict::Conflict { original: *original }
            };
        }
        self.claims.insert((event.source, event.identity), (event.offset, event.fingerprint));
        self.numbered.insert(event.source, numbered);
        if let Identity::Numbered { incarnation, sequence } = event.identity {
            let highest = self.highest.entry((event.source, incarnation)).or_default();
            *highest = (*highest).max(sequence);
        }
        Verdict::New
    }
}

/// A log with everything that can happen to identities, and what the model
/// says of each event.
pub fn random_log(seed: u64, events: usize) -> Vec<(Candidate, Verdict)> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut model = Model::default();
    let mut offset = 0;
    let mut fronts: HashMap<(u128, u64), u64> = HashMap::new();
    (0..events)
        .map(|_| {
            offset += random.u64(1..4);
            let source = random.u128(0..8);
            // Sources 4 to 7 are numbered, but one event in thirty has the
            // other kind; for a new source that event can be the first.
            let identity = if (source >= 4) != (random.u8(..30) == 0) {
                let incarnation = random.u64(0..3);
                let front = fronts.entry((source, incarnation)).or_insert(0);
                let sequence = match random.u8(..100) {
                    0 => *front + SEQUENCE_JUMP_MAX + random.u64(..3),
                    1 => *front + random.u64(..2_000),
                    2..12 => front.saturating_sub(random.u64(..20)),
                    12..16 => random.u64(..=*front),
                    16..20 => *front + random.u64(1..4),
                    _ => *front + 1,
                };
                if sequence <= *front + 2_000 {
                    *front = sequence.max(*front);
                }
                Identity::Numbered { incarnation, sequence }
            } else {
                let id = blake3::hash(&[source as u8, random.u8(..200), random.u8(..3)]);
                Identity::Hashed(u128::from_le_bytes(*id.as_bytes().first_chunk().expect("32 bytes")))
            };
            let fingerprint = random.u64(..20) / 19;
            let event = Candidate { offset, fingerprint, source, identity };
            (event, model.check(&event))
        })
        .collect()
}

#[test]
fn the_random_logs_have_every_verdict() {
    let log = random_log(1, 3_000);
    let count = |of: fn(&Verdict) -> bool| log.iter().filter(|(_, verdict)| of(verdict)).count();
    assert!(count(|verdict| *verdict == Verdict::New) > 1_000);
    assert!(count(|verdict| matches!(verdict, Verdict::Duplicate { .. })) > 100);
    assert!(count(|verdict| matches!(verdict, Verdict::Conflict { .. })) > 10);
    assert!(count(|verdict| matches!(verdict, Verdict::SequenceTooFar { .. })) > 5);
    assert!(count(|verdict| *verdict == Verdict::TurnedNumbered) > 5);
    assert!(count(|verdict| *verdict == Verdict::TurnedUnnumbered) > 5);
}

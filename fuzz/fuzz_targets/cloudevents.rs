//! Bodies of `POST /api/v1/events`.
//!
//! No input may panic, and what the edge takes the fold must be able to read:
//! every event is written in its canonical form and decodes to itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stempoint_schemas::event::check_source;
use stempoint_schemas::time::Instant;
use stempoint_schemas::{cloudevents, wire};

fuzz_target!(|body: &[u8]| {
    let Some(now) = Instant::from_us(1_709_208_000_000_000) else { return };
    let mut handed_out = 0;
    let read = cloudevents::read(body, now, |source, event| {
        handed_out += 1;
        check_source(Some(source.as_bytes())).expect("a source that was taken is one");
        let mut bytes = Vec::new();
        wire::encode(event, &mut bytes);
        let decoded = wire::decode(&bytes).expect("an event that was taken can be decoded");
        assert_eq!(decoded.event, *event);
        assert!(decoded.canonical);
    });
    match read {
        Ok(count) => assert_eq!(count, handed_out),
        Err(error) => {
            assert_eq!(handed_out, 0, "a batch is refused whole");
            assert!(!error.to_string().is_empty());
        }
    }
});

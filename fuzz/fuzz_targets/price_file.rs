//! Price files.
//!
//! No input may panic, an error names a line of the file, and a book that is
//! read can be sent as a control event and comes back as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use stempoint_core::control::{Act, from_proto, is_whole, to_proto};
use stempoint_core::price_file;
use stempoint_schemas::proto;

fuzz_target!(|content: &[u8]| {
    let lines = content.iter().filter(|&&byte| byte == b'\n').count() + 1;
    match price_file::read(content) {
        Ok(book) => {
            let act = Act::PriceBook(book);
            let bytes = to_proto("fuzz", &act).encode_to_vec();
            let event = proto::ControlEvent::decode(&bytes[..]).expect("what was written can be read");
            assert!(is_whole(&event, &bytes));
            assert_eq!(from_proto(&event).as_ref(), Ok(&act));
        }
        Err(error) => assert!((1..=lines).contains(&error.line), "line {} of {lines}", error.line),
    }
});

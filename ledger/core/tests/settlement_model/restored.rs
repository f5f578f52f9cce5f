//! Control events that were decided by other rules than today's. Guards
//! invariant 5: what is on record counts, whatever the rules have become.

use prost::Message;
use stempoint_core::book::{BookPrice, PriceBook};
use stempoint_core::control::{Act, to_proto};
use stempoint_core::settlement::{Answer, ControlRecord, Settlement, SettlementError};
use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::{Amount, Price, Quantity};
use stempoint_schemas::proto::{ControlEvent, control_event::Act as Wire};
use stempoint_schemas::time::Hour;

const SOURCE: &[u8] = b"operator/test";

/// A book whose one price is more than today's rules allow.
fn too_high() -> Vec<u8> {
    let price = Price::new(Amount::parse("2000000").unwrap(), Quantity::parse("1").unwrap()).unwrap();
    let prices = vec![BookPrice {
        meter: Meter::Requests,
        customer: None,
        matches: Vec::new(),
        price,
        charging: Default::default(),
    }];
    let book = PriceBook { currency: "USD".to_owned(), effective_from: Hour(400_000), prices, shares: Vec::new() };
    to_proto("a book", &Act::PriceBook(book)).encode_to_vec()
}

fn record(value: &[u8]) -> ControlRecord<'_> {
    ControlRecord { offset: 7, recorded_us: 0, key: Some(SOURCE), value }
}

#[test]
fn a_book_that_was_applied_stays_in_force_though_it_would_be_refused_now() {
    let value = too_high();
    let mut settlement = Settlement::new("USD");
    assert_eq!(settlement.read(record(&value)).answer(), Some(Answer::Refused));
    settlement.restore_control(record(&value), Answer::Applied).unwrap();
    assert_eq!(settlement.books().in_force("USD", Hour(400_000)), Some(0));
    assert_eq!(settlement.read(record(&value)).answer(), Some(Answer::Duplicate));
}

#[test]
fn an_event_that_was_applied_and_cannot_be_understood_is_an_error_and_is_not_left_out() {
    let mut event = ControlEvent::decode(&too_high()[..]).unwrap();
    let Some(Wire::PriceBook(book)) = &mut event.act else { panic!("not a book") };
    book.prices[0].meter = "a meter of later rules".to_owned();
    let value = event.encode_to_vec();
    let error = Settlement::new("USD").restore_control(record(&value), Answer::Applied).unwrap_err();
    assert!(matches!(error, SettlementError::Restore { offset: 7, .. }), "{error}");
    // One that was refused changed nothing, whatever it says.
    Settlement::new("USD").restore_control(record(&value), Answer::Refused).unwrap();
}

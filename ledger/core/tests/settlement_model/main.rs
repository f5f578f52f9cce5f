//! The settlement state machine against a slow model that knows nothing of
//! charges that move or of amounts posted before: it keeps every usage row,
//! rates it anew after each event, and multiplies and rounds once at the end.
//!
//! Guards invariants 1 to 5 and 7 to 9 of the core: conservation, balance,
//! append-only corrections, exact rounding wherever settlements were cut,
//! closed months that never change, answers to repeats and conflicts, and the same books after a restart.

mod books;
mod model;
mod restored;
mod scenario;

use proptest::prelude::*;
use prost::Message;
use stempoint_core::control::{Act, Waive, to_proto};
use stempoint_core::settlement::Answer;
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::time::{Hour, Month};
use stempoint_schemas::watermark::Watermarks;

use books::Books;
use model::Model;
use scenario::{Step, book, month, named_of, row, step};

fn encoded(id: &str, act: &Act) -> Vec<u8> {
    to_proto(id, act).encode_to_vec()
}

/// Does the steps on both; gives the books and the model.
fn play(steps: &[Step]) -> (Books, Model) {
    let (mut books, mut model) = (Books::new(), Model::default());
    for step in steps {
        let id = format!("event-{}", books.controls.len());
        match step {
            Step::Settle(rows) => {
                books.rows.extend_from_slice(rows);
                let watermarks = Watermarks::from_vec(vec![books.rows.len() as u64]);
                assert_eq!(books.handle(&encoded(&id, &Act::Settle(watermarks))), Answer::Applied);
                model.settle(rows);
            }
            Step::Book(spec) => {
                assert_eq!(books.handle(&encoded(&id, &Act::PriceBook(spec.book()))), Answer::Applied);
                model.books.push(spec.clone());
                model.rate_all();
            }
            Step::Waive { meter, second_month, named } => {
                let period = month(i32::from(*second_month));
                let dimension = Meter::ALL[*meter].dimensions()[0];
                let kind = u8::from(dimension == Dimension::Gpu);
                let matches = named.map(|named| (dimension, named_of(kind, named))).into_iter().collect();
                let waive = Waive { meter: Meter::ALL[*meter], period, matches, reason: "a test".to_owned() };
                assert_eq!(books.handle(&encoded(&id, &Act::Waive(waive))), Answer::Applied);
                model.waive(*meter, period, *named);
            }
            Step::SettleAgain(which) => {
                let watermarks = Watermarks::from_vec(vec![(which % (books.rows.len() + 1)) as u64]);
                assert_eq!(books.handle(&encoded(&id, &Act::Settle(watermarks))), Answer::Applied);
            }
            Step::Closing(number, rows) => {
                let is_next = model.can_close(month(*number));
                if is_next {
                    // The month's last usage is settled by the event that begins to close it.
                    books.rows.extend_from_slice(rows);
                    model.settle(rows);
                    model.closing = Some(month(*number));
                }
                let watermarks = Watermarks::from_vec(vec![books.rows.len() as u64]);
                let answer = if is_next { Answer::Applied } else { Answer::Refused };
                assert_eq!(books.handle(&encoded(&id, &Act::Closing(month(*number), watermarks))), answer);
            }
            Step::Closed(number) => {
                let answer = if model.closed(month(*number)) { Answer::Applied } else { Answer::Refused };
                assert_eq!(books.handle(&encoded(&id, &Act::Closed(month(*number)))), answer);
            }
            Step::CloseNext => close_next(&mut books, &mut model),
            Step::Refused => {
                let event = stempoint_schemas::proto::ControlEvent { id, act: None };
                assert_eq!(books.handle(&event.encode_to_vec()), Answer::Refused);
            }
            Step::Repeat(which) => {
                if let Some((value, first)) = pick(&books, *which) {
                    let expected = if first == Answer::Conflict { Answer::Conflict } else { Answer::Duplicate };
                    assert_eq!(books.handle(&value), expected);
                }
            }
            Step::Conflict(which) => {
                if let Some((value, _)) = pick(&books, *which) {
                    let id = stempoint_schemas::proto::ControlEvent::decode(&value[..]).unwrap().id;
                    let other = Waive {
                        meter: Meter::Requests,
                        period: Hour(0).month(),
                        matches: Vec::new(),
                        reason: format!("other content {}", books.controls.len()),
                    };
                    assert_eq!(books.handle(&encoded(&id, &Act::Waive(other))), Answer::Conflict);
                }
            }
            Step::Restart { from_checkpoint } => books.restart(*from_checkpoint),
        }
    }
    (books, model)
}

/// Begins to close the next month, unless that was done, waives what it waits
/// for, and closes it.
fn close_next(books: &mut Books, model: &mut Model) {
    let period = model.closing.or(model.last_closed.map(Month::next)).unwrap_or(month(0));
    let mut send = |act: Act| {
        let id = format!("event-{}", books.controls.len());
        assert_eq!(books.handle(&encoded(&id, &act)), Answer::Applied, "{act:?}");
    };
    if model.can_close(period) {
        send(Act::Closing(period, Watermarks::default()));
        model.closing = Some(period);
    }
    for (meter, period) in model.unrated_up_to(period) {
        let reason = "nobody will pay for it".to_owned();
        send(Act::Waive(Waive { meter: Meter::ALL[meter], period, matches: Vec::new(), reason }));
        model.waive(meter, period, None);
    }
    send(Act::Closed(period));
    assert!(model.closed(period));
}

/// An event that was sent before, and its answer.
fn pick(books: &Books, which: usize) -> Option<(Vec<u8>, Answer)> {
    let count = books.controls.len();
    (count > 0).then(|| books.controls[which % count].clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_books_agree_with_the_slow_model(steps in prop::collection::vec(step(), 1..20)) {
        let (books, model) = play(&steps);
        prop_assert_eq!(books.net(), model.charges());
        prop_assert_eq!(books.accounts(), model.balances());
    }

    /// Where settlements are cut changes the rows, never the balances.
    #[test]
    fn cuts_do_not_matter(rows in prop::collection::vec(row(), 1..30), cuts in prop::collection::vec(0..30_usize, 0..6), spec in book()) {
        let whole = [Step::Book(spec.clone()), Step::Settle(rows.clone())];
        let mut parts = vec![Step::Book(spec)];
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(rows.len())).chain([0, rows.len()]).collect();
        cuts.sort_unstable();
        parts.extend(cuts.windows(2).map(|cut| Step::Settle(rows[cut[0]..cut[1]].to_vec())));
        let ((whole, _), (parts, _)) = (play(&whole), play(&parts));
        prop_assert_eq!(whole.net(), parts.net());
        prop_assert_eq!(whole.accounts(), parts.accounts());
    }
}

//! The settlement state machine against a slow model that knows nothing of
//! charges that move or of amounts posted before: it keeps every usage row,
//! rates it anew after each event, and multiplies and rounds once at the end.
//!
//! Guards invariants 1 to 5 and 7 to 9 of the core: conservation, balance,
//! append-only corrections, exact rounding wherever settlements were cut,
//! closed months that never change, invoices without gaps that are paid as they
//! say, terms of commitments that are made up for once, events that are taken
//! back once, thresholds that are crossed once, debts that are given up and put
//! back, lines that are disputed once, currencies that never mix, customers that are rated in one at a time, statements that lose nothing to rounding,
//! answers to repeats and conflicts, and the same books after a restart.

mod adjustments;
mod agreed;
mod books;
mod corrected;
mod currencies;
mod disputed;
mod granted;
mod model;
mod owed;
mod restored;
mod scenario;
mod watched;

use proptest::prelude::*;
use prost::Message;
use stempoint_core::control::{Act, Waive};
use stempoint_core::exchange::{ExchangeOrder, Money};
use stempoint_core::receivables::{CreditOrder, PaymentOrder, WriteOffOrder};
use stempoint_core::settlement::Answer;
use stempoint_core::terms::{Tax, Terms};
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::{Amount, Share};
use stempoint_schemas::time::{Hour, Month};
use stempoint_schemas::watermark::Watermarks;

use books::Books;
use corrected::corrected_step;
use currencies::rated_step;
use disputed::disputed_step;
use model::Model;
use owed::CENT;
use scenario::{
    BookSpec, PriceSpec, Step, agreed_step, book, encoded, models, month, named_of, owed_step, priced_step, row, step,
    watched_step,
};

/// Does the steps on both and compares them after each; gives the books and
/// the model.
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
                assert_eq!(
                    books.handle(&encoded(&id, &Act::Closed { period: month(*number), has_statements: true })),
                    answer
                );
            }
            Step::CloseNext => close_next(&mut books, &mut model),
            Step::Terms(customer, entity, per_cent) => {
                let (entity, name) =
                    (["SPEU", "SPUS"][usize::from(*entity)], customer.map(|c| format!("customer-{c}")));
                let rate = Share::parse(&format!("0.{per_cent:02}")).unwrap().unwrap();
                let tax = Some(Tax { name: "VAT".to_owned(), rate });
                let terms = Terms { entity: entity.to_owned(), due_days: 14, tax };
                assert_eq!(books.handle(&encoded(&id, &Act::Terms(name.clone(), terms))), Answer::Applied);
                model.owed.terms.insert(name, (entity.to_owned(), i128::from(*per_cent)));
            }
            Step::Payment(customer, cents, named) => pay(&mut books, &mut model, (*customer, *cents, *named)),
            Step::Credit(customer, cents, named) => credit(&mut books, &mut model, (*customer, *cents, *named)),
            Step::WriteOff { which, cents, is_put_back } => {
                write_off(&mut books, &mut model, (*which, *cents, *is_put_back));
            }
            Step::Exchange { to_euro, given, got, rate } => {
                let (from, to) = if *to_euro { ("USD", "EUR") } else { ("EUR", "USD") };
                let money = |asset: &str, cents: u32| Money {
                    asset: asset.to_owned(),
                    amount: Amount::from_pico(i128::from(cents) * CENT).unwrap(),
                };
                let order = ExchangeOrder {
                    given: money(from, *given),
                    got: money(to, *got),
                    rate: rate.map(|rate| Amount::from_pico(i128::from(rate) * 100_000_000).unwrap()),
                    received_us: 0,
                    reference: String::new(),
                };
                let is_done = model.owed.exchange(*to_euro, *given, *got, *rate);
                let answer = if is_done { Answer::Applied } else { Answer::Refused };
                assert_eq!(books.handle(&encoded(&id, &Act::Exchange(order))), answer);
            }
            Step::Commit(customer, from, spec) => {
                let order = agreed::order(*customer, month(*from), *spec);
                let is_done = model.agreed.set(*customer, month(*from), *spec, model.last_closed);
                let answer = if is_done { Answer::Applied } else { Answer::Refused };
                assert_eq!(books.handle(&encoded(&id, &Act::Commitment(order))), answer);
            }
            Step::Grant(spec) => {
                let is_done = model.owed.grants.add(spec, model.last_closed);
                let answer = if is_done { Answer::Applied } else { Answer::Refused };
                assert_eq!(books.handle(&encoded(&id, &Act::Grant(spec.order()))), answer);
            }
            Step::Budget(customer, name, spec) => {
                let order = watched::order(*customer, *name, spec.as_ref());
                let offset = books.controls.len() as u64;
                let is_reachable = spec
                    .as_ref()
                    .is_none_or(|spec| spec.meter.is_some() || !model.currencies.is_euro(*customer, month(spec.from)));
                let is_done = is_reachable && model.watched.set(*customer, *name, spec.as_ref(), offset);
                let answer = if is_done { Answer::Applied } else { Answer::Refused };
                assert_eq!(books.handle(&encoded(&id, &Act::Budget(order))), answer);
            }
            Step::Currency(spec) => currencies::change(&mut books, &mut model, spec),
            Step::Dispute(spec) => disputed::dispute(&mut books, &mut model, spec),
            Step::Resolve(spec) => disputed::resolve(&mut books, &mut model, spec),
            Step::Correct(spec) => corrected::correct(&mut books, &mut model, spec),
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
        if let Some(last) = books.controls.len().checked_sub(1) {
            model.look(last as u64);
        }
        agree(&books, &model);
    }
    (books, model)
}

/// The number of an invoice and whether it is that customer's in truth.
fn named(model: &Model, customer: &str, named: Option<usize>) -> Option<(String, bool)> {
    let count = model.owed.invoices.len().max(1);
    let invoice = |which: usize| model.owed.invoices.get(which % count);
    let unknown = || ("INV-999999".to_owned(), false);
    // Every fourth is anybody's, the others are the customer's own where it has one.
    let own: Vec<_> = model.owed.invoices.iter().filter(|invoice| invoice.customer == customer).collect();
    let chosen = |which: usize| match which % 4 {
        0 => invoice(which / 4),
        _ => own.get(which / 4 % own.len().max(1)).copied(),
    };
    named.map(|which| chosen(which).map_or_else(unknown, |of| (of.number.clone(), of.customer == customer)))
}

fn pay(books: &mut Books, model: &mut Model, (customer, cents, which): (u8, u32, Option<usize>)) {
    let customer = format!("customer-{customer}");
    let invoice = named(model, &customer, which);
    let amount = i128::from(cents) * CENT;
    let order = PaymentOrder {
        customer: customer.clone(),
        currency: "USD".to_owned(),
        amount: Amount::from_pico(amount).unwrap(),
        received_us: 0,
        invoice: invoice.as_ref().map(|(number, _)| number.clone()),
        reference: "a transfer".to_owned(),
    };
    let id = format!("event-{}", books.controls.len());
    let can_be = cents > 0 && invoice.as_ref().is_none_or(|(_, is_theirs)| *is_theirs);
    let answer = if can_be { Answer::Applied } else { Answer::Refused };
    assert_eq!(books.handle(&encoded(&id, &Act::Payment(order))), answer);
    if can_be {
        model.owed.pay(&customer, amount, invoice.as_ref().map(|(number, _)| number.as_str()));
    }
}

fn credit(books: &mut Books, model: &mut Model, (customer, cents, which): (u8, Option<u32>, Option<usize>)) {
    let customer = format!("customer-{customer}");
    let invoice = named(model, &customer, which);
    let left = invoice.as_ref().map(|(number, _)| model.owed.left(number));
    let amount = cents.map(|cents| i128::from(cents) * CENT);
    let order = CreditOrder {
        customer: customer.clone(),
        currency: "USD".to_owned(),
        amount: amount.map(|amount| Amount::from_pico(amount).unwrap()),
        invoice: invoice.as_ref().map(|(number, _)| number.clone()),
        reason: "it did not work".to_owned(),
    };
    let id = format!("event-{}", books.controls.len());
    let amount = amount.or(left).unwrap_or(0);
    let is_theirs = invoice.as_ref().is_none_or(|(_, is_theirs)| *is_theirs);
    let can_be = is_theirs && amount > 0 && left.is_none_or(|left| amount <= left);
    let answer = if can_be { Answer::Applied } else { Answer::Refused };
    assert_eq!(books.handle(&encoded(&id, &Act::Credit(order))), answer);
    if can_be {
        model.owed.credit(&customer, amount, invoice.as_ref().map(|(number, _)| number.as_str()));
    }
}

fn write_off(books: &mut Books, model: &mut Model, (which, cents, is_put_back): (usize, Option<u32>, bool)) {
    let count = model.owed.invoices.len().max(1);
    let known = model.owed.invoices.get(which % count).map(|invoice| invoice.number.clone());
    let invoice = known.unwrap_or_else(|| "INV-999999".to_owned());
    let amount = cents.map(|cents| i128::from(cents) * CENT);
    let order = WriteOffOrder {
        invoice: invoice.clone(),
        amount: amount.map(|amount| Amount::from_pico(amount).unwrap()),
        is_put_back,
        reason: "nobody is there".to_owned(),
    };
    let is_done = model.owed.write_off(&invoice, amount, is_put_back);
    let id = format!("event-{}", books.controls.len());
    let answer = if is_done { Answer::Applied } else { Answer::Refused };
    assert_eq!(books.handle(&encoded(&id, &Act::WriteOff(order))), answer);
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
    send(Act::Closed { period, has_statements: true });
    assert!(model.closed(period));
}

/// An event that was sent before, and its answer.
fn pick(books: &Books, which: usize) -> Option<(Vec<u8>, Answer)> {
    let count = books.controls.len();
    (count > 0).then(|| books.controls[which % count].clone())
}

/// A book that holds from the first hour on and has a price for everything.
fn dear_book() -> impl Strategy<Value = BookSpec> {
    (prop::collection::vec((1..5_000_000_u32, 1..4_000_000_u32), 6), models(6)).prop_map(|(prices, models)| {
        let price = |(meter, (amount, per))| PriceSpec { meter, customer: None, named: None, amount, per };
        let prices = prices.into_iter().enumerate().map(price);
        BookSpec { euro: false, hour: -1, prices: prices.collect(), models, shares: vec![(0, 70)], owners: Vec::new() }
    })
}

/// Compares everything that can be read.
fn agree(books: &Books, model: &Model) {
    let accounts = books.accounts();
    assert_eq!(accounts.values().sum::<i128>(), 0, "all balances add up to nothing");
    assert_eq!(accounts, model.balances());
    assert_eq!(books.net(), model.charges());
    assert_eq!(books.issued(), model.owed.issued);
    assert_eq!(books.stated(), model.stated);
    assert_eq!(books.true_ups, model.agreed.true_ups);
    assert_eq!(books.alerts(), model.watched.alerts);
    for invoice in &model.owed.invoices {
        let open = books.settlement.receivables().open(&invoice.number).map(Amount::pico);
        assert_eq!(open, Some(invoice.open), "{}", invoice.number);
    }
}

/// How many histories each property tries: 500, or as many as the environment
/// says for a longer run.
fn histories() -> u32 {
    let said = std::env::var("STEMPOINT_HISTORIES");
    said.map_or(500, |said| said.parse().expect("STEMPOINT_HISTORIES is a number of histories"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: histories(), ..ProptestConfig::default() })]

    #[test]
    fn the_books_agree_with_the_slow_model(steps in prop::collection::vec(step(), 1..20)) {
        play(&steps);
    }

    /// The same of histories in which most steps are about money.
    #[test]
    fn what_customers_owe_agrees_with_the_slow_model(spec in dear_book(), steps in prop::collection::vec(owed_step(), 5..40)) {
        let steps: Vec<Step> = std::iter::once(Step::Book(spec)).chain(steps).collect();
        play(&steps);
    }

    /// The same of histories in which customers are rated in two currencies.
    #[test]
    fn currencies_agree_with_the_slow_model(specs in (dear_book(), dear_book()), steps in prop::collection::vec(rated_step(), 5..40)) {
        let (dollars, mut euros) = specs;
        euros.euro = true;
        let steps: Vec<Step> = [dollars, euros].into_iter().map(Step::Book).chain(steps).collect();
        play(&steps);
    }

    /// The same of histories in which most steps are about disputes.
    #[test]
    fn disputes_agree_with_the_slow_model(spec in dear_book(), steps in prop::collection::vec(disputed_step(), 5..40)) {
        let steps: Vec<Step> = std::iter::once(Step::Book(spec)).chain(steps).collect();
        play(&steps);
    }

    /// The same of histories in which most steps are about commitments.
    #[test]
    fn commitments_agree_with_the_slow_model(spec in dear_book(), steps in prop::collection::vec(agreed_step(), 5..30)) {
        let steps: Vec<Step> = std::iter::once(Step::Book(spec)).chain(steps).collect();
        play(&steps);
    }

    /// The same of histories in which most steps are about budgets.
    #[test]
    fn alerts_agree_with_the_slow_model(spec in dear_book(), steps in prop::collection::vec(watched_step(), 5..40)) {
        let steps: Vec<Step> = std::iter::once(Step::Book(spec)).chain(steps).collect();
        play(&steps);
    }

    /// The same of histories in which most steps correct events.
    #[test]
    fn corrections_agree_with_the_slow_model(spec in book(), steps in prop::collection::vec(corrected_step(), 5..30)) {
        let steps: Vec<Step> = std::iter::once(Step::Book(spec)).chain(steps).collect();
        play(&steps);
    }

    /// The same of histories in which most steps are price books, of which some
    /// give customers prices of their own.
    #[test]
    fn prices_of_ones_own_agree_with_the_slow_model(steps in prop::collection::vec(priced_step(), 5..30)) {
        play(&steps);
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

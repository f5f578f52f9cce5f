//! What a control event asks for, whether that may be done, and what it needs.
//!
//! Invariant: a repeat gets the first answer (1), and the same id with other
//! content is an error of its own (9).

use prost::Message;
use stempoint_schemas::event::{check_source, is_plain_text};
use stempoint_schemas::hash::{content_hash, fingerprint, identity_hash};
use stempoint_schemas::proto;

use super::{Answer, ChargeFilter, ControlRecord, ControlRow, Need, Pending, Settlement};
use crate::book::PriceBook;
use crate::control::{self, Act};

impl Settlement {
    /// Reads a control event, answers it if it can be answered at once, and
    /// says what it needs otherwise.
    pub fn read(&self, record: ControlRecord<'_>) -> Pending {
        let row = ControlRow {
            offset: record.offset,
            recorded_us: record.recorded_us,
            source: None,
            id: None,
            kind: "unknown",
            answer: Answer::Malformed,
            message: String::new(),
            key: record.key.map(<[u8]>::to_vec),
            raw: record.value.to_vec(),
        };
        let answered = |row: ControlRow, identity| Pending { row, act: None, identity, need: Need::Nothing };
        let source = match check_source(record.key) {
            Ok(source) => source,
            Err(refusal) => return answered(ControlRow { message: refusal.detail, ..row }, None),
        };
        let row = ControlRow { source: Some(source.to_owned()), ..row };
        let event = match proto::ControlEvent::decode(record.value) {
            Ok(event) => event,
            Err(error) => {
                return answered(
                    ControlRow { message: format!("the value is not a control event: {error}"), ..row },
                    None,
                );
            }
        };
        if !is_plain_text(event.id.as_bytes()) {
            let message = "id must be 1 to 256 bytes of printable text".to_owned();
            return answered(ControlRow { message, ..row }, None);
        }
        let kind = kind_of(&event);
        let row = ControlRow { id: Some(event.id.clone()), kind, ..row };
        let (identity, print) = remembered_by(source, &event, record.value);
        if let Some(seen) = self.seen.get(&identity) {
            let (answer, message) = if seen.fingerprint == print {
                (
                    Answer::Duplicate,
                    format!("the same as control event {}, which was {}", seen.offset, seen.answer.name()),
                )
            } else {
                (
                    Answer::Conflict,
                    format!("control event {} has this id and other content; send it with a new id", seen.offset),
                )
            };
            return answered(ControlRow { answer, message, ..row }, None);
        }
        let read = if control::is_whole(&event, record.value) {
            control::from_proto(&event)
        } else {
            Err("the event has a field that these rules do not know, one twice, or one without a value".to_owned())
        };
        let act = match read.and_then(|act| self.permitted(act, record.recorded_us)) {
            Ok(act) => act,
            Err(problem) => {
                return answered(
                    ControlRow { answer: Answer::Refused, message: problem, ..row },
                    Some((identity, print)),
                );
            }
        };
        let need = self.need(&act);
        Pending { row, act: Some(act), identity: Some((identity, print)), need }
    }

    /// The act, unless the state of the months stands against it.
    fn permitted(&self, act: Act, recorded_us: i64) -> Result<Act, String> {
        match &act {
            Act::Closing(period, _) => self.periods.check_closing(*period, recorded_us)?,
            Act::Closed { period, .. } => self.periods.check_closed(*period, &self.unrated)?,
            Act::Payment(order) => self.receivables.check_payment(order, &self.names, recorded_us)?,
            Act::Credit(order) => self.receivables.check_credit(order, &self.names)?,
            Act::WriteOff(order) => self.receivables.check_write_off(order, &self.names)?,
            Act::Budget(order) => self.check_budget(order)?,
            Act::Commitment(order) => self.check_commitment(order)?,
            Act::Grant(order) => self.receivables.check_grant(order, self.periods.last_closed(), recorded_us)?,
            Act::Correction(order) => self.check_correction(order)?,
            Act::Exchange(order) => order.check_time(recorded_us)?,
            Act::Currency(order) => self.currencies.check(order, &self.names)?,
            Act::Resolution(order) => self.disputes.check_resolution(order, &self.names)?,
            Act::Dispute(_) | Act::PriceBook(_) | Act::Settle(_) | Act::Waive(_) | Act::Terms(..) => {}
        }
        Ok(act)
    }

    fn need(&self, act: &Act) -> Need {
        match act {
            Act::Settle(watermarks) | Act::Closing(_, watermarks) => {
                let to = self.settled.merged(watermarks);
                let (from, apart) = (self.settled.clone(), self.apart.clone());
                if to == from { Need::Nothing } else { Need::Usage { from, to, apart } }
            }
            Act::PriceBook(book) => {
                if self.last_hour.is_none_or(|last| last < book.effective_from) {
                    return Need::Nothing;
                }
                match self.served_by(book) {
                    Some(served) => Need::ChargesAndServed(self.charges_of(book), served),
                    None => Need::Charges(self.charges_of(book)),
                }
            }
            Act::Waive(waive) => Need::Charges(ChargeFilter::Unrated(waive.clone())),
            Act::Correction(order) => Need::Row(order.place),
            Act::Currency(order) => {
                let (customer, from) = (order.customer.clone(), order.from.start().hour());
                Need::Charges(ChargeFilter::Used { customer, from })
            }
            Act::Closed { .. }
            | Act::Terms(..)
            | Act::Payment(_)
            | Act::Credit(_)
            | Act::Budget(_)
            | Act::Commitment(_)
            | Act::Grant(_)
            | Act::WriteOff(_)
            | Act::Dispute(_)
            | Act::Resolution(_)
            | Act::Exchange(_) => Need::Nothing,
        }
    }

    /// The charges that a book can move which is yet to be put in force.
    pub(super) fn charges_of(&self, book: &PriceBook) -> ChargeFilter {
        let from = book.effective_from;
        let until = self.books.next_change(&book.currency, from);
        ChargeFilter::Hours { currency: book.currency.clone(), from, until }
    }
}

/// The hash and the fingerprint under which an event's answer is remembered.
pub(super) fn remembered_by(source: &str, event: &proto::ControlEvent, value: &[u8]) -> (u128, u64) {
    let identity = identity_hash(source.as_bytes(), event.id.as_bytes());
    (identity, fingerprint(&content_hash(source.as_bytes(), value)))
}

fn kind_of(event: &proto::ControlEvent) -> &'static str {
    use proto::control_event::Act as Wire;
    match event.act {
        Some(Wire::PriceBook(_)) => "price_book",
        Some(Wire::Settle(_)) => "settle",
        Some(Wire::Waive(_)) => "waive",
        Some(Wire::Closing(_)) => "closing",
        Some(Wire::Closed(_)) => "closed",
        Some(Wire::Terms(_)) => "terms",
        Some(Wire::Payment(_)) => "payment",
        Some(Wire::Credit(_)) => "credit",
        Some(Wire::Budget(_)) => "budget",
        Some(Wire::Correction(_)) => "correction",
        Some(Wire::Commitment(_)) => "commitment",
        Some(Wire::Grant(_)) => "grant",
        Some(Wire::WriteOff(_)) => "write_off",
        Some(Wire::Exchange(_)) => "exchange",
        Some(Wire::Currency(_)) => "currency",
        Some(Wire::Dispute(_)) => "dispute",
        Some(Wire::Resolution(_)) => "resolution",
        None => "unknown",
    }
}

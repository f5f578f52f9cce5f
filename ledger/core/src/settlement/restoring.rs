//! What was handled before a restart, taken up again.
//!
//! Invariant: the answer on record counts: today's rules do not judge an event
//! again that was applied or refused by others.

use prost::Message;
use stempoint_schemas::event::check_source;
use stempoint_schemas::money::{Amount, Overflow};
use stempoint_schemas::proto;
use stempoint_schemas::time::Month;

use super::reading::remembered_by;
use super::{Answer, ControlRecord, Seen, Settlement, SettlementError};
use crate::charge::Charge;
use crate::control::{self, Act};
use crate::names::Name;

impl Settlement {
    /// Takes up a control event that was handled before a restart, with the
    /// answer that is on record: today's rules do not judge it again.
    ///
    /// # Errors
    /// [`SettlementError::Restore`] where an event that changed the books
    /// cannot be understood any more.
    pub fn restore_control(&mut self, record: ControlRecord<'_>, answer: Answer) -> Result<(), SettlementError> {
        if !matches!(answer, Answer::Applied | Answer::Refused) {
            return Ok(());
        }
        let failed = |detail| SettlementError::Restore { offset: record.offset, answer, detail };
        let source = check_source(record.key).map_err(|refusal| failed(refusal.detail))?;
        let event = proto::ControlEvent::decode(record.value).map_err(|error| failed(error.to_string()))?;
        let (identity, fingerprint) = remembered_by(source, &event, record.value);
        self.seen.insert(identity, Seen { offset: record.offset, fingerprint, answer });
        if answer == Answer::Applied {
            match control::applied_from_proto(&event).map_err(failed)? {
                Act::PriceBook(book) => self.put_in_force(record.offset, book),
                Act::Settle(watermarks) => self.settled = self.settled.merged(&watermarks),
                Act::Waive(waive) => self.note_waiver(record.offset, &waive),
                Act::Closing(period, watermarks) => _ = self.begin_closing(period, &watermarks),
                Act::Closed { period, .. } => {
                    self.periods.close(period);
                    self.receivables.end_grants(period).map_err(|error| failed(error.to_string()))?;
                }
                Act::Grant(order) => self.restore_grant(record.offset, &order),
                Act::Terms(customer, terms) => _ = self.set_terms(customer.as_deref(), terms),
                Act::Currency(order) => self.set_currency(&order),
                Act::Budget(order) => _ = self.set_budget(record.offset, &order),
                Act::Commitment(order) => _ = self.set_commitment(&order),
                // What they did stands in tables of their own.
                Act::Payment(_) | Act::Credit(_) | Act::Correction(_) | Act::WriteOff(_) => {}
                Act::Dispute(_) | Act::Resolution(_) => {}
                // It leaves nothing but its entries.
                Act::Exchange(_) => {}
            }
        }
        Ok(())
    }

    /// Takes up a charge that was written before a restart.
    pub fn restore_charge(&mut self, charge: &Charge) -> Result<(), Overflow> {
        self.count_charge(charge)?;
        self.posted.restore(charge, &self.books, &self.names)
    }

    /// Takes up what charge models added to a customer's linear amounts of a
    /// billing period, which was posted before a restart. Quantities come with
    /// the charges.
    ///
    /// # Errors
    /// [`Overflow`] where the sum leaves the range of money.
    pub fn restore_adjustment(
        &mut self,
        (customer, asset): (Name, Name),
        period: Month,
        amount: Amount,
    ) -> Result<(), Overflow> {
        self.posted.adjusted_mut().add_amount((period, (customer, asset)), amount)
    }
}

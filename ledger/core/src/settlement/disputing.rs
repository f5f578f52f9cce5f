//! Acts on disputes: lines of invoices and statements that somebody does not
//! agree to.
//!
//! Invariants: a dispute names a line that is there; nothing of a closed month
//! changes (7): what is accepted counts from when it was accepted, and the
//! dispute keeps the line and its month.

use stempoint_schemas::meter::Dimension;
use stempoint_schemas::money::{Amount, Overflow};
use stempoint_schemas::time::Month;

use super::invoicing::record;
use super::{Outcome, Settlement};
use crate::charge::Side;
use crate::dispute::{Dispute, DisputeChange, DisputeOrder, DisputeStep, ResolutionOrder, name_of};
use crate::names::Name;
use crate::posting::{Account, PostingError, RoundingKey};
use crate::receivables::{Changes, CreditOrder, Holder, Postings, check_amount, entry};
use crate::usage::Dimensions;

/// Whose document it is, on which side, and of which month.
struct Disputable {
    side: Side,
    holder: Holder,
    period: Option<Month>,
}

impl Settlement {
    /// The dispute that an order opens; the error says why it cannot be.
    pub(super) fn disputed(&self, order: &DisputeOrder, offset: u64) -> Result<Dispute, String> {
        let of = self.disputable(&order.document)?;
        let currency = self.names.text(of.holder.1).unwrap_or_default();
        let (line, came_to) = self.line(order, &of)?;
        if let Some(amount) = order.amount {
            check_amount(amount, currency)?;
        }
        let amount = match of.side {
            Side::Customer => self.disputed_of_invoice(order, &line, came_to, currency)?,
            Side::Provider => self.asked_for(order, &line)?,
        };
        Ok(Dispute { name: name_of(offset), document: order.document.clone(), currency: of.holder.1, line, amount })
    }

    fn disputable(&self, number: &str) -> Result<Disputable, String> {
        if let Some((holder, period)) = self.receivables.invoiced(number) {
            return Ok(Disputable { side: Side::Customer, holder, period });
        }
        let missing = || format!("there is no invoice or statement {}", stempoint_schemas::decimal::shorten(number));
        let (holder, period) = self.payables.stated(number).ok_or_else(missing)?;
        Ok(Disputable { side: Side::Provider, holder, period: Some(period) })
    }

    /// The line that an order names, and what it comes to.
    fn line(&self, order: &DisputeOrder, of: &Disputable) -> Result<(RoundingKey, Amount), String> {
        let missing = || format!("there is no {}", order.line_in_words());
        let price = self.price_id(&order.price).ok_or_else(missing)?;
        let is_theirs = self.books.currency(price) == self.names.text(of.holder.1);
        let period = of.period.filter(|_| is_theirs).ok_or_else(missing)?;
        let mut dimensions = Dimensions::default();
        for (dimension, value) in &order.dimensions {
            let name = self.names.find(value).ok_or_else(missing)?;
            match dimension {
                Dimension::Model => dimensions.model = name,
                Dimension::Gpu => dimensions.gpu = name,
                Dimension::Region => dimensions.region = name,
            }
        }
        let line = RoundingKey { side: of.side, party: of.holder.0, dimensions, price, period };
        let came_to = self.posted.line(&line, &self.books).map_err(|error| error.to_string())?;
        if came_to == Amount::ZERO { Err(missing()) } else { Ok((line, came_to)) }
    }

    /// How much of an invoice's line is disputed.
    fn disputed_of_invoice(
        &self,
        order: &DisputeOrder,
        line: &RoundingKey,
        came_to: Amount,
        currency: &str,
    ) -> Result<Amount, String> {
        let number = &order.document;
        let in_words = |error: Overflow| error.to_string();
        let of_invoice = self.receivables.disputable(number)?;
        let whole = self.receivables.with_tax(number, came_to, currency).map_err(in_words)?;
        let of_line = whole.minus(self.disputes.taken(line)).map_err(in_words)?;
        if of_line <= Amount::ZERO {
            return Err(format!("nothing is left to dispute of the {}: it came to {whole}", order.line_in_words()));
        }
        let amount = order.amount.unwrap_or(of_line.min(of_invoice));
        if amount > of_line {
            return Err(format!("{amount} is more than the {of_line} that can be disputed of that line"));
        }
        if amount > of_invoice {
            return Err(format!("{amount} is more than the {of_invoice} that can be taken back of {number}"));
        }
        Ok(amount)
    }

    /// How much is asked for beyond a statement's line.
    fn asked_for(&self, order: &DisputeOrder, line: &RoundingKey) -> Result<Amount, String> {
        if let Some(open) = self.disputes.open_of(line) {
            return Err(format!("{} is about that line already; resolve it first", open.name));
        }
        order.amount.ok_or_else(|| "name the amount that is asked for beyond the line".to_owned())
    }

    /// Opens a dispute that was checked.
    pub(super) fn open_dispute(
        &mut self,
        dispute: Dispute,
        reason: &str,
        outcome: &mut Outcome,
    ) -> Result<String, PostingError> {
        let times = self.times(&outcome.control, outcome.control.recorded_us);
        self.disputes.open(&dispute)?;
        let changes = match dispute.line.side {
            Side::Customer => self.receivables.dispute(&dispute, times)?,
            Side::Provider => Changes::default(),
        };
        let aside = changes.allocations.first().map_or(Amount::ZERO, |allocation| allocation.amount);
        record(changes, outcome)?;
        let Dispute { name, document, amount, line, .. } = &dispute;
        let (party, currency) = (self.text(line.party), self.text(dispute.currency));
        let message = match line.side {
            Side::Customer => format!(
                "{name} is open: {party} does not agree to {amount} {currency} of {document}; {aside} of what is open is set aside"
            ),
            Side::Provider => format!("{name} is open: {party} asks for {amount} {currency} beyond {document}"),
        };
        let step = DisputeStep::Opened;
        outcome.dispute = Some(DisputeChange { amount: *amount, reason: reason.to_owned(), step, dispute });
        Ok(message)
    }

    /// Resolves a dispute.
    pub(super) fn resolve_dispute(
        &mut self,
        order: &ResolutionOrder,
        outcome: &mut Outcome,
    ) -> Result<String, PostingError> {
        let accepted = self.disputes.accepted(order);
        let Some(dispute) = self.disputes.resolve(&order.dispute, accepted)? else { return Ok(String::new()) };
        let message = match dispute.line.side {
            Side::Customer => self.resolve_for_customer(&dispute, accepted, order, outcome)?,
            Side::Provider => self.resolve_for_provider(&dispute, accepted, outcome)?,
        };
        let (step, reason) = (DisputeStep::Resolved, order.reason.clone());
        outcome.dispute = Some(DisputeChange { dispute, step, amount: accepted, reason });
        Ok(message)
    }

    fn resolve_for_customer(
        &mut self,
        dispute: &Dispute,
        accepted: Amount,
        order: &ResolutionOrder,
        outcome: &mut Outcome,
    ) -> Result<String, PostingError> {
        let times = self.times(&outcome.control, outcome.control.recorded_us);
        let credit = CreditOrder {
            customer: self.text(dispute.line.party),
            currency: self.text(dispute.currency),
            amount: Some(accepted),
            invoice: Some(dispute.document.clone()),
            reason: order.reason.clone(),
        };
        let credit = (accepted != Amount::ZERO).then_some(&credit);
        let changes = self.receivables.resolve(dispute, credit, &self.terms, times)?;
        let paid = changes.allocations.iter().filter(|allocation| allocation.source != dispute.name);
        let paid: Vec<_> = paid.cloned().collect();
        let done = resolved_in_words(dispute, accepted);
        let message = match (changes.documents.first(), paid.as_slice()) {
            (Some(note), paid) => format!("{done}; {}", self.paid(paid, &note.number)),
            (None, []) => done,
            (None, paid) => format!("{done}; {}", self.paid(paid, "what was held")),
        };
        record(changes, outcome)?;
        Ok(message)
    }

    fn resolve_for_provider(
        &mut self,
        dispute: &Dispute,
        accepted: Amount,
        outcome: &mut Outcome,
    ) -> Result<String, PostingError> {
        let done = resolved_in_words(dispute, accepted);
        let times = self.times(&outcome.control, outcome.control.recorded_us);
        let provider = dispute.line.party;
        self.payables.accept((provider, dispute.currency), accepted)?;
        if accepted == Amount::ZERO {
            return Ok(done);
        }
        let mut postings = Postings::new();
        postings.add(Account::PlatformRefunds, accepted)?;
        postings.add(Account::ProviderPayable(provider), accepted.negated())?;
        let entries = vec![entry(dispute.name.clone(), dispute.currency, times.effective_us, postings)];
        record(Changes { entries, ..Changes::default() }, outcome)?;
        Ok(format!("{done}; it is owed to {}, and its next statement carries it", self.text(provider)))
    }

    fn text(&self, name: Name) -> String {
        self.names.text(name).unwrap_or_default().to_owned()
    }

    /// Takes up a step of a dispute that was made before a restart, in the
    /// order of the control events.
    ///
    /// # Errors
    /// [`PostingError::Overflow`] where a sum leaves the range of money.
    pub fn restore_dispute(&mut self, change: &DisputeChange) -> Result<(), PostingError> {
        let dispute = &change.dispute;
        match (change.step, dispute.line.side) {
            (DisputeStep::Opened, side) => {
                self.disputes.open(dispute)?;
                if side == Side::Customer {
                    self.receivables.count_disputed(dispute, dispute.amount)?;
                }
            }
            (DisputeStep::Resolved, Side::Customer) => {
                if let Some(opened) = self.disputes.resolve(&dispute.name, change.amount)? {
                    self.receivables.count_disputed(&opened, opened.amount.negated())?;
                }
            }
            (DisputeStep::Resolved, Side::Provider) => {
                self.disputes.resolve(&dispute.name, change.amount)?;
                self.payables.accept((dispute.line.party, dispute.currency), change.amount)?;
            }
        }
        Ok(())
    }
}

fn resolved_in_words(dispute: &Dispute, accepted: Amount) -> String {
    let Dispute { name, document, amount, .. } = dispute;
    match accepted {
        Amount::ZERO => format!("{name} was rejected: nothing of {document} changes"),
        accepted if accepted == *amount => format!("all of {name} was accepted: {amount}"),
        accepted => format!("{accepted} of the {amount} of {name} was accepted"),
    }
}

//! Grants: what a customer has for the invoices of some months, paid for in
//! advance or given.
//!
//! Invariants: grants pay before all else that a customer holds, in the order
//! of their priority, then of the month after which they end, then of their
//! age; what is left of one when that month was closed is gone, and of what was
//! paid for that is posted (3).

use stempoint_schemas::event::is_plain_text;
use stempoint_schemas::money::{Amount, Overflow};
use stempoint_schemas::time::Month;

use super::receipt::{check_amount, check_received, entry};
use super::{Allocation, Changes, Holder, Postings, Receivables, Times};
use crate::names::Name;
use crate::posting::{Account, Entry};

/// The last priority.
const PRIORITY_MAX: u32 = 1000;

/// A grant, as somebody orders it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantOrder {
    /// Who gets it.
    pub customer: String,
    /// The currency.
    pub currency: String,
    /// How much.
    pub amount: Amount,
    /// When the bank had what was paid for it, microseconds; `None` where it
    /// was given.
    pub received_us: Option<i64>,
    /// Which grants are used first: the smallest.
    pub priority: u32,
    /// The first month whose invoices it pays.
    pub from: Month,
    /// The last one; `None` for all.
    pub until: Option<Month>,
    /// What it is for, in words.
    pub reason: String,
}

/// A grant as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its name, for example `grant-12`, with the control event's offset.
    pub name: String,
    /// Whose it is.
    pub customer: Name,
    /// The currency.
    pub currency: Name,
    /// What was ordered.
    pub order: GrantOrder,
}

/// What is left of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeldGrant {
    /// Offset of the control event that made it.
    offset: u64,
    left: Amount,
    is_prepaid: bool,
    priority: u32,
    from: Month,
    until: Option<Month>,
}

/// The name of the grant that a control event made.
fn name_of(offset: u64) -> String {
    format!("grant-{offset}")
}

impl HeldGrant {
    fn name(&self) -> String {
        name_of(self.offset)
    }

    /// What is used first comes first.
    fn rank(&self) -> (u32, bool, Option<Month>, u64) {
        (self.priority, self.until.is_none(), self.until, self.offset)
    }

    fn pays_for(&self, period: Month) -> bool {
        self.from <= period && self.until.is_none_or(|until| period <= until)
    }

    fn account(&self, customer: Name) -> Account {
        if self.is_prepaid { Account::CustomerPrepaid(customer) } else { Account::PlatformPromotions }
    }
}

impl GrantOrder {
    /// Checks an order in itself; the error says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        check_amount(self.amount, &self.currency)?;
        if self.priority > PRIORITY_MAX {
            return Err(format!("the priority must be at most {PRIORITY_MAX}"));
        }
        if !is_plain_text(self.reason.as_bytes()) {
            return Err("reason must be 1 to 256 bytes of printable text".to_owned());
        }
        match self.until.filter(|until| *until < self.from) {
            Some(until) => Err(format!("the grant ends with {until}, before it begins with {}", self.from)),
            None => Ok(()),
        }
    }

    /// For people.
    pub fn in_words(&self) -> String {
        let GrantOrder { customer, currency, amount, from, .. } = self;
        let paid = if self.received_us.is_some() { "paid for" } else { "was given" };
        let until = self.until.map_or_else(|| "on".to_owned(), |until| format!("to {until}"));
        format!("{customer} {paid} {amount} {currency} for the invoices of {from} {until}")
    }
}

impl Receivables {
    /// Whether a grant may be made; the error says what is wrong.
    pub fn check_grant(&self, order: &GrantOrder, last_closed: Option<Month>, recorded_us: i64) -> Result<(), String> {
        if let Some(received_us) = order.received_us {
            check_received(received_us, recorded_us, "grant")?;
        }
        match order.until.filter(|until| last_closed.is_some_and(|last| *until <= last)) {
            Some(until) => Err(format!("{until} is closed: a grant pays for invoices that are yet to be issued")),
            None => Ok(()),
        }
    }

    /// Makes a grant that was checked.
    pub(crate) fn grant(&mut self, order: &GrantOrder, holder: Holder, times: Times) -> Result<Changes, Overflow> {
        let (customer, currency) = holder;
        self.hold_grant(order, holder, times.offset);
        let name = name_of(times.offset);
        let mut postings = Postings::new();
        if order.received_us.is_some() {
            postings.add(Account::TreasuryBank, order.amount)?;
            postings.add(Account::CustomerPrepaid(customer), order.amount.negated())?;
        }
        let entries = entry(name.clone(), currency, times.effective_us, postings).if_any().into_iter().collect();
        let grant = Grant { name, customer, currency, order: order.clone() };
        Ok(Changes { grant: Some(grant), entries, ..Changes::default() })
    }

    /// Holds a grant, be it a new one or one that was made before a restart.
    pub(crate) fn hold_grant(&mut self, order: &GrantOrder, holder: Holder, offset: u64) {
        let grants = &mut self.holders.entry(holder).or_default().grants;
        let grant = HeldGrant {
            offset,
            left: order.amount,
            is_prepaid: order.received_us.is_some(),
            priority: order.priority,
            from: order.from,
            until: order.until,
        };
        let place = grants.partition_point(|held| held.rank() <= grant.rank());
        grants.insert(place, grant);
    }

    /// Pays an invoice of a month that was just issued with the grants for it.
    pub(super) fn use_grants(
        &mut self,
        holder: Holder,
        invoice: &str,
        period: Month,
        postings: &mut Postings,
    ) -> Result<Vec<Allocation>, Overflow> {
        let mut allocations = Vec::new();
        let Some(mut open) = self.open(invoice) else { return Ok(allocations) };
        let (customer, currency) = holder;
        for grant in self.holders.get_mut(&holder).into_iter().flat_map(|held| &mut held.grants) {
            let amount = open.min(grant.left);
            if amount <= Amount::ZERO || !grant.pays_for(period) {
                continue;
            }
            grant.left = grant.left.minus(amount)?;
            open = open.minus(amount)?;
            postings.add(Account::CustomerReceivable(customer), amount.negated())?;
            postings.add(grant.account(customer), amount)?;
            let source = grant.name();
            allocations.push(Allocation { invoice: invoice.to_owned(), source, customer, currency, amount });
        }
        for allocation in &allocations {
            self.pay(invoice, allocation.amount)?;
        }
        self.forget_used_grants(holder);
        Ok(allocations)
    }

    fn forget_used_grants(&mut self, holder: Holder) {
        if let Some(held) = self.holders.get_mut(&holder) {
            held.grants.retain(|grant| grant.left != Amount::ZERO);
        }
    }

    /// Takes from a grant what was used of it before a restart.
    pub(super) fn restore_use(&mut self, allocation: &Allocation) -> Result<(), Overflow> {
        let holder = (allocation.customer, allocation.currency);
        let grants = self.holders.get_mut(&holder).into_iter().flat_map(|held| &mut held.grants);
        for grant in grants.filter(|grant| grant.name() == allocation.source) {
            grant.left = grant.left.minus(allocation.amount)?;
        }
        self.forget_used_grants(holder);
        Ok(())
    }

    /// Ends the grants for no month after one that was just closed; gives the
    /// entries of what was paid for and is left, in the order of the grants.
    pub(crate) fn end_grants(&mut self, closed: Month) -> Result<Vec<Entry>, Overflow> {
        let mut ended: Vec<(Holder, HeldGrant)> = Vec::new();
        for (&holder, held) in &mut self.holders {
            let is_over = |grant: &mut HeldGrant| grant.until.is_some_and(|until| until <= closed);
            ended.extend(held.grants.extract_if(.., is_over).map(|grant| (holder, grant)));
        }
        ended.sort_unstable_by_key(|(_, grant)| grant.offset);
        let mut entries = Vec::new();
        for ((customer, asset), grant) in ended.into_iter().filter(|(_, grant)| grant.is_prepaid) {
            let mut postings = Postings::new();
            postings.add(Account::CustomerPrepaid(customer), grant.left)?;
            postings.add(Account::PlatformBreakage, grant.left.negated())?;
            let effective_us = grant.until.unwrap_or(closed).end().us() - 1;
            entries.push(entry(grant.name(), asset, effective_us, postings));
        }
        Ok(entries)
    }
}

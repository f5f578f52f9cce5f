//! Disputes and what becomes of them from and to their protobuf form.
//!
//! Invariant: what is written is read back as the same act.

use stempoint_schemas::money::Amount;
use stempoint_schemas::proto;

use super::money::{amount, plain};
use super::{dimensions_from, dimensions_to};
use crate::dispute::{DisputeOrder, ResolutionOrder};

pub(super) fn dispute_from(wire: &proto::Dispute) -> Result<DisputeOrder, String> {
    Ok(DisputeOrder {
        document: plain("document", &wire.document)?,
        price: plain("price", &wire.price)?,
        dimensions: dimensions_from(&wire.dimensions)?,
        amount: some_amount(&wire.amount)?,
        reason: plain("reason", &wire.reason)?,
    })
}

pub(super) fn dispute_to(order: &DisputeOrder) -> proto::Dispute {
    proto::Dispute {
        document: order.document.clone(),
        price: order.price.clone(),
        dimensions: dimensions_to(&order.dimensions),
        amount: text_of(order.amount),
        reason: order.reason.clone(),
    }
}

pub(super) fn resolution_from(wire: &proto::Resolution) -> Result<ResolutionOrder, String> {
    Ok(ResolutionOrder {
        dispute: plain("dispute", &wire.dispute)?,
        accepted: some_amount(&wire.accepted)?,
        reason: plain("reason", &wire.reason)?,
    })
}

pub(super) fn resolution_to(order: &ResolutionOrder) -> proto::Resolution {
    proto::Resolution {
        dispute: order.dispute.clone(),
        accepted: text_of(order.accepted),
        reason: order.reason.clone(),
    }
}

fn some_amount(text: &str) -> Result<Option<Amount>, String> {
    if text.is_empty() { Ok(None) } else { amount(text).map(Some) }
}

fn text_of(amount: Option<Amount>) -> String {
    amount.map(|amount| amount.to_string()).unwrap_or_default()
}

//! Commitments from and to their protobuf form.
//!
//! Invariant: what is written is read back as the same act.

use stempoint_schemas::proto;

use super::money::{amount, currency, plain};
use super::period_from;
use crate::commitment::{Commitment, CommitmentOrder};

pub(super) fn commitment_from(wire: &proto::Commitment) -> Result<CommitmentOrder, String> {
    let commitment = match (wire.amount.as_str(), wire.months) {
        ("", 0) => None,
        (text, months) => Some(Commitment { amount: amount(text)?, months }),
    };
    Ok(CommitmentOrder {
        customer: plain("customer", &wire.customer)?,
        currency: currency(&wire.currency)?,
        from: period_from(&wire.from)?,
        commitment,
    })
}

pub(super) fn commitment_to(order: &CommitmentOrder) -> proto::Commitment {
    let mut wire = proto::Commitment {
        customer: order.customer.clone(),
        currency: order.currency.clone(),
        from: order.from.to_string(),
        ..proto::Commitment::default()
    };
    if let Some(commitment) = order.commitment {
        (wire.amount, wire.months) = (commitment.amount.to_string(), commitment.months);
    }
    wire
}

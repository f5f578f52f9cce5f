//! From usage and earlier charges to new charges.
//!
//! Invariants: a charge that moves is taken back and made again with the same
//! quantity (4), so that quantities are conserved (2).

use hashbrown::HashMap;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::{Overflow, Quantity};
use stempoint_schemas::time::Month;

use super::Done;
use super::event::Supply;
use crate::charge::{Charge, ChargeKey, Side, State, of_meter};
use crate::control::Waive;
use crate::currencies::Currencies;
use crate::names::Name;
use crate::posting::PostingError;
use crate::rating::Rater;
use crate::usage::UsageCell;

pub(super) fn renamed(cell: &UsageCell, translate: &[Name]) -> UsageCell {
    let mut cell = *cell;
    cell.party = translate[cell.party.index()];
    cell.customer = translate[cell.customer.index()];
    cell.dimensions = cell.dimensions.renamed(translate);
    cell
}

pub(super) fn charge_cell(
    side: Side,
    cell: &UsageCell,
    period: Month,
    currencies: &Currencies,
    rater: &mut Rater<'_>,
    charges: &mut Vec<Charge>,
) -> Result<(), Overflow> {
    let customer = if side == Side::Customer { cell.party } else { cell.customer };
    let currency = currencies.of(customer, cell.hour);
    for (meter, &nano) in Meter::ALL.into_iter().zip(&cell.quantities) {
        if nano == 0 {
            continue;
        }
        let dimensions = of_meter(meter, cell.dimensions);
        let key = ChargeKey { side, party: cell.party, currency, meter, dimensions, hour: cell.hour, period };
        let state = rater.state(currency, customer, meter, dimensions, cell.hour);
        charges.push(Charge { key, state, quantity: Quantity::from_nano(nano)? });
    }
    Ok(())
}

pub(super) fn waive_charges(waive: &Waive, supply: Supply) -> Result<Done, PostingError> {
    let Supply::Charges(charges) = supply else { return Ok(("nothing to waive".to_owned(), Vec::new())) };
    let mut moved = Vec::new();
    for charge in net(&charges)? {
        if charge.state == State::Unrated {
            moved.push(Charge { quantity: charge.quantity.negated(), ..charge });
            moved.push(Charge { state: State::Waived, ..charge });
        }
    }
    Ok((format!("waived {} charges of {} in {}", moved.len() / 2, waive.meter, waive.period), moved))
}

/// Adds up charges by key and state; what cancels out is left out.
pub(super) fn net(charges: &[Charge]) -> Result<Vec<Charge>, Overflow> {
    let mut sums: HashMap<(ChargeKey, State), Quantity, foldhash::fast::RandomState> = HashMap::default();
    for charge in charges {
        let sum = sums.entry((charge.key, charge.state)).or_default();
        *sum = sum.plus(charge.quantity)?;
    }
    Ok(sums
        .into_iter()
        .filter(|(_, quantity)| *quantity != Quantity::ZERO)
        .map(|((key, state), quantity)| Charge { key, state, quantity })
        .collect())
}

/// What holds for a charge by the books of the rater; what was waived stays so.
pub(super) fn holding(rater: &mut Rater<'_>, charge: &Charge) -> State {
    match charge.state {
        State::Waived => State::Waived,
        _ => rater.state_of(charge),
    }
}

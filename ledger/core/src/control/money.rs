//! Terms, currencies, payments, credits, grants, write-offs and exchanges from and to their
//! protobuf form.
//!
//! Invariant: what is written is read back as the same act.

use stempoint_schemas::decimal::shorten;
use stempoint_schemas::event::is_plain_text;
use stempoint_schemas::money::{Amount, Quantity, Share};
use stempoint_schemas::proto;
use stempoint_schemas::time::Instant;

use super::{Act, period_from};
use crate::book::check_currency;
use crate::currencies::CurrencyOrder;
use crate::exchange::{ExchangeOrder, Money};
use crate::receivables::{CreditOrder, GrantOrder, PaymentOrder, WriteOffOrder};
use crate::terms::{Tax, Terms};

pub(super) fn terms_from(wire: &proto::Terms) -> Result<Act, String> {
    let tax = match (wire.tax_name.as_str(), wire.tax_rate.as_str()) {
        ("", "") => None,
        (name, rate) => {
            let rate = Share::parse(rate).map_err(|error| format!("tax_rate: {error}"))?;
            let rate = rate.ok_or("tax_rate is not between 0 and 1; 19 % is 0.19")?;
            Some(Tax { name: name.to_owned(), rate })
        }
    };
    let customer = some(&wire.customer).map(|customer| plain("customer", &customer)).transpose()?;
    Ok(Act::Terms(customer, Terms { entity: wire.entity.clone(), due_days: wire.due_days, tax }))
}

pub(super) fn terms_to(customer: Option<&str>, terms: &Terms) -> proto::Terms {
    let tax = terms.tax.as_ref();
    proto::Terms {
        customer: customer.unwrap_or_default().to_owned(),
        entity: terms.entity.clone(),
        due_days: terms.due_days,
        tax_name: tax.map(|tax| tax.name.clone()).unwrap_or_default(),
        tax_rate: tax.map(|tax| tax.rate.to_string()).unwrap_or_default(),
    }
}

pub(super) fn currency_order_from(wire: &proto::CustomerCurrency) -> Result<CurrencyOrder, String> {
    Ok(CurrencyOrder {
        customer: some(&wire.customer).map(|customer| plain("customer", &customer)).transpose()?,
        currency: currency(&wire.currency)?,
        from: period_from(&wire.from)?,
    })
}

pub(super) fn currency_order_to(order: &CurrencyOrder) -> proto::CustomerCurrency {
    proto::CustomerCurrency {
        customer: order.customer.clone().unwrap_or_default(),
        currency: order.currency.clone(),
        from: order.from.to_string(),
    }
}

pub(super) fn payment_from(wire: &proto::Payment) -> Result<PaymentOrder, String> {
    let received = Instant::from_us(wire.received_at_us).ok_or("received_at is outside the years 1 to 9999")?;
    Ok(PaymentOrder {
        customer: plain("customer", &wire.customer)?,
        currency: currency(&wire.currency)?,
        amount: amount(&wire.amount)?,
        received_us: received.us(),
        invoice: some(&wire.invoice).map(|invoice| plain("invoice", &invoice)).transpose()?,
        reference: some(&wire.reference).map_or(Ok(String::new()), |text| plain("reference", &text))?,
    })
}

pub(super) fn payment_to(order: &PaymentOrder) -> proto::Payment {
    proto::Payment {
        customer: order.customer.clone(),
        currency: order.currency.clone(),
        amount: order.amount.to_string(),
        received_at_us: order.received_us,
        invoice: order.invoice.clone().unwrap_or_default(),
        reference: order.reference.clone(),
    }
}

pub(super) fn credit_from(wire: &proto::Credit) -> Result<CreditOrder, String> {
    Ok(CreditOrder {
        customer: plain("customer", &wire.customer)?,
        currency: currency(&wire.currency)?,
        amount: some(&wire.amount).map(|text| amount(&text)).transpose()?,
        invoice: some(&wire.invoice).map(|invoice| plain("invoice", &invoice)).transpose()?,
        reason: plain("reason", &wire.reason)?,
    })
}

pub(super) fn credit_to(order: &CreditOrder) -> proto::Credit {
    proto::Credit {
        customer: order.customer.clone(),
        currency: order.currency.clone(),
        amount: order.amount.map(|amount| amount.to_string()).unwrap_or_default(),
        invoice: order.invoice.clone().unwrap_or_default(),
        reason: order.reason.clone(),
    }
}

pub(super) fn grant_from(wire: &proto::Grant) -> Result<GrantOrder, String> {
    let outside = "received_at is outside the years 1 to 9999";
    let received = wire.received_at_us.map(|us| Instant::from_us(us).ok_or(outside)).transpose()?;
    Ok(GrantOrder {
        customer: plain("customer", &wire.customer)?,
        currency: currency(&wire.currency)?,
        amount: amount(&wire.amount)?,
        received_us: received.map(Instant::us),
        priority: wire.priority,
        from: period_from(&wire.from)?,
        until: some(&wire.until).map(|until| period_from(&until)).transpose()?,
        reason: wire.reason.clone(),
    })
}

pub(super) fn grant_to(order: &GrantOrder) -> proto::Grant {
    proto::Grant {
        customer: order.customer.clone(),
        currency: order.currency.clone(),
        amount: order.amount.to_string(),
        received_at_us: order.received_us,
        priority: order.priority,
        from: order.from.to_string(),
        until: order.until.map(|until| until.to_string()).unwrap_or_default(),
        reason: order.reason.clone(),
    }
}

pub(super) fn write_off_from(wire: &proto::WriteOff) -> Result<WriteOffOrder, String> {
    Ok(WriteOffOrder {
        invoice: plain("invoice", &wire.invoice)?,
        amount: some(&wire.amount).map(|text| amount(&text)).transpose()?,
        is_put_back: wire.put_back,
        reason: plain("reason", &wire.reason)?,
    })
}

pub(super) fn write_off_to(order: &WriteOffOrder) -> proto::WriteOff {
    proto::WriteOff {
        invoice: order.invoice.clone(),
        amount: order.amount.map(|amount| amount.to_string()).unwrap_or_default(),
        put_back: order.is_put_back,
        reason: order.reason.clone(),
    }
}

pub(super) fn exchange_from(wire: &proto::Exchange) -> Result<ExchangeOrder, String> {
    let received = Instant::from_us(wire.received_at_us).ok_or("received_at is outside the years 1 to 9999")?;
    let money = |asset: &str, text: &str| Ok::<_, String>(Money { asset: currency(asset)?, amount: amount(text)? });
    Ok(ExchangeOrder {
        given: money(&wire.given_asset, &wire.given_amount)?,
        got: money(&wire.got_asset, &wire.got_amount)?,
        rate: some(&wire.rate).map(|text| amount(&text).map_err(|error| format!("rate: {error}"))).transpose()?,
        received_us: received.us(),
        reference: wire.reference.clone(),
    })
}

pub(super) fn exchange_to(order: &ExchangeOrder) -> proto::Exchange {
    proto::Exchange {
        given_asset: order.given.asset.clone(),
        given_amount: order.given.amount.to_string(),
        got_asset: order.got.asset.clone(),
        got_amount: order.got.amount.to_string(),
        rate: order.rate.map(|rate| rate.to_string()).unwrap_or_default(),
        received_at_us: order.received_us,
        reference: order.reference.clone(),
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

pub(super) fn plain(what: &str, text: &str) -> Result<String, String> {
    if is_plain_text(text.as_bytes()) {
        return Ok(text.to_owned());
    }
    Err(format!("{what} must be 1 to 256 bytes of printable text"))
}

pub(super) fn currency(code: &str) -> Result<String, String> {
    check_currency(code).map_err(|error| error.to_string())?;
    Ok(code.to_owned())
}

pub(super) fn amount(text: &str) -> Result<Amount, String> {
    Amount::parse(text).map_err(|error| format!("amount {:?}: {error}", shorten(text)))
}

pub(super) fn quantity(text: &str) -> Result<Quantity, String> {
    Quantity::parse(text).map_err(|error| format!("quantity {:?}: {error}", shorten(text)))
}

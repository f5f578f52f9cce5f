//! On what terms customers are invoiced: by which legal entity, due when,
//! with which tax.
//!
//! Invariant: the last terms of a customer hold, those of everyone where it
//! has none; what was issued keeps the terms that held then.

use hashbrown::HashMap;
use stempoint_schemas::event::is_plain_text;
use stempoint_schemas::money::Share;

use crate::names::Name;

/// The longest time to pay (days).
const DUE_DAYS_MAX: u32 = 3650;
/// The longest code of an entity (bytes).
const ENTITY_BYTES_MAX: usize = 12;

/// The terms of one customer, or of all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The code of the legal entity that issues; its documents are numbered
    /// without a gap.
    pub entity: String,
    /// How long the customer has to pay (days).
    pub due_days: u32,
    /// The tax on what it uses.
    pub tax: Option<Tax>,
}

/// A tax on the exact amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tax {
    /// What it is called, for example `VAT`.
    pub name: String,
    /// Its part of the net amount.
    pub rate: Share,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { entity: "INV".to_owned(), due_days: 30, tax: None }
    }
}

impl Terms {
    /// For people.
    pub fn in_words(&self) -> String {
        let tax = match &self.tax {
            Some(tax) => format!("with {} of {}", tax.name, tax.rate),
            None => "without tax".to_owned(),
        };
        format!("issued by {}, due after {} days, {tax}", self.entity, self.due_days)
    }

    /// Checks terms; the error says what is wrong with them.
    pub fn check(&self) -> Result<(), String> {
        let entity = self.entity.as_bytes();
        let is_code = entity.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if entity.is_empty() || entity.len() > ENTITY_BYTES_MAX || !is_code {
            return Err(format!("entity must be 1 to {ENTITY_BYTES_MAX} capital letters and digits, such as SPEU"));
        }
        if self.due_days > DUE_DAYS_MAX {
            return Err(format!("due_days must be at most {DUE_DAYS_MAX}"));
        }
        match &self.tax {
            Some(tax) if !is_plain_text(tax.name.as_bytes()) => {
                Err("the tax must have a name of printable text, such as VAT".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// The terms that hold.
#[derive(Debug, Clone, Default)]
pub struct TermsBook {
    general: Terms,
    of_customers: HashMap<Name, Terms, foldhash::fast::RandomState>,
}

impl TermsBook {
    /// Puts terms in force for a customer, or for all that have none.
    pub fn set(&mut self, customer: Option<Name>, terms: Terms) {
        match customer {
            Some(customer) => _ = self.of_customers.insert(customer, terms),
            None => self.general = terms,
        }
    }

    /// The terms of a customer.
    pub fn of(&self, customer: Name) -> &Terms {
        self.of_customers.get(&customer).unwrap_or(&self.general)
    }
}

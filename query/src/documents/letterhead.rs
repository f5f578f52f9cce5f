//! Who sends the documents, and how they are paid.
//!
//! Invariant: nothing of it changes a figure; a document without it is whole.

/// What is printed on documents besides the books.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letterhead {
    /// The company; `None` where none is configured.
    pub issuer: Option<Issuer>,
    /// Within how many days invoices are to be paid.
    pub due_days: Option<u16>,
    /// What is printed below an invoice, in paragraphs.
    pub notes: Vec<String>,
}

/// The company that sends documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Issuer {
    /// Its name.
    pub name: String,
    /// Its address, line by line.
    pub address: Vec<String>,
    /// Its number at the tax office.
    pub tax_id: Option<String>,
    /// Where questions go.
    pub email: Option<String>,
    /// Where to pay, line by line.
    pub payment: Vec<String>,
}

impl Letterhead {
    /// The name on the documents.
    pub fn name(&self) -> &str {
        self.issuer.as_ref().map_or("Stempoint", |issuer| &issuer.name)
    }

    /// When an invoice is to be paid, in words.
    pub(crate) fn terms(&self) -> Option<String> {
        self.due_days.map(|days| match days {
            0 => "Payable on receipt.".to_owned(),
            1 => "Payable within 1 day of the invoice date.".to_owned(),
            days => format!("Payable within {days} days of the invoice date."),
        })
    }
}

impl Issuer {
    /// What stands below the name: address, tax number, address for questions.
    pub(crate) fn details(&self) -> Vec<String> {
        let mut details = self.address.clone();
        details.extend(self.tax_id.iter().map(|id| format!("Tax ID {id}")));
        details.extend(self.email.clone());
        details
    }
}

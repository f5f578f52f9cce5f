//! One row for each part of the credit, and one for each part that was used
//! or is kept. `item` says which it is; amounts of the credit are negative,
//! those of its use positive, so that all rows add up to zero.

use crate::documents::credit_note::CreditNote;
use crate::output::csv_field;

pub(in crate::documents::render) fn render(note: &CreditNote) -> String {
    let mut csv =
        "number,customer,currency,issued_at,corrects,reason,item,invoice,amount,ledger_version,sql\n".to_owned();
    let corrects = note.corrects.as_ref().map(|(number, _)| csv_field(number)).unwrap_or_default();
    let mut row = |item: &str, invoice: Option<&str>, amount: String, sql: &str| {
        let fields = [
            csv_field(&note.number),
            csv_field(&note.customer),
            csv_field(&note.currency),
            note.issued_at.to_string(),
            corrects.clone(),
            csv_field(&note.reason),
            item.to_owned(),
            invoice.map(csv_field).unwrap_or_default(),
            amount,
            note.ledger_version.to_string(),
            csv_field(sql),
        ];
        csv.push_str(&fields.join(","));
        csv.push('\n');
    };
    for line in &note.lines {
        row(line.item.name(), None, line.amount.to_string(), &line.sql);
    }
    for part in &note.uses {
        let item = if part.invoice.is_some() { "used" } else { "kept" };
        row(item, part.invoice.as_deref(), part.amount.to_string(), &part.sql);
    }
    csv
}

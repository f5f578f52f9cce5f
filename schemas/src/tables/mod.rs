//! The tables of the lake: each column with its type and a comment that says
//! its unit, so that the books explain themselves.
//!
//! Invariant: a published column keeps its name, type and meaning for ever.

mod budgets;
mod commitments;
mod commits;
mod corrections;
mod disputes;
mod ingest;
mod payables;
mod receivables;
mod settlement;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

pub use budgets::{ALERTS, BUDGETS};
pub use commitments::{COMMITMENTS, TRUE_UPS};
pub use commits::{COMMITS, shard_fields};
pub use corrections::CORRECTIONS;
pub use disputes::DISPUTES;
pub use ingest::{API_CALLS, DUPLICATES, GPU_USAGE, HEARTBEATS, REJECTS};
pub use payables::STATEMENTS;
pub use receivables::{ALLOCATIONS, CURRENCIES, GRANTS, INVOICES, PAYMENTS, TERMS};
pub use settlement::{CHARGE_MODELS, CHARGES, CONTROL, JOURNAL, OWNER_SHARES, PERIODS, PRICE_CUSTOMERS, PRICES};

/// Where a table's rows come from, which decides by what they are visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenBy {
    /// The ingest fold: a row is visible below its partition's watermark.
    Ingest,
    /// Settlement: a row is visible below the control offset.
    Settlement,
    /// Every commit: one row each.
    Commit,
}

/// How a column is best stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Few different values: a dictionary.
    Dictionary,
    /// Integers close to their neighbours.
    Delta,
    /// Many different values.
    Plain,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it can be null.
    pub nullable: bool,
    /// How it is stored.
    pub encoding: Encoding,
    /// What it says, units included.
    pub comment: &'static str,
}

/// The types that columns have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 32-bit integer.
    Int,
    /// 64-bit integer.
    Long,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// True or false.
    Bool,
    /// Microseconds in UTC.
    Time,
    /// Decimal number with precision and scale.
    Decimal(u8, i8),
    /// The list of shards in a row of `commits`.
    Shards,
}

/// One table.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name, also its folder.
    pub name: &'static str,
    /// What a row is.
    pub comment: &'static str,
    /// By what its rows are visible.
    pub written_by: WrittenBy,
    /// Its columns.
    pub columns: &'static [Column],
    /// The columns for which each file's smallest and largest value is kept.
    pub statistics: &'static [&'static str],
}

/// All tables, in the order in which documents list them.
pub const ALL: [&Table; 27] = [
    &API_CALLS,
    &GPU_USAGE,
    &HEARTBEATS,
    &REJECTS,
    &DUPLICATES,
    &CONTROL,
    &CHARGES,
    &JOURNAL,
    &PRICES,
    &CHARGE_MODELS,
    &PRICE_CUSTOMERS,
    &OWNER_SHARES,
    &PERIODS,
    &TERMS,
    &CURRENCIES,
    &INVOICES,
    &PAYMENTS,
    &GRANTS,
    &ALLOCATIONS,
    &COMMITMENTS,
    &TRUE_UPS,
    &BUDGETS,
    &ALERTS,
    &CORRECTIONS,
    &STATEMENTS,
    &DISPUTES,
    &COMMITS,
];

/// Settlement's tables, in the order in which the rows of one control event
/// enter its Merkle tree.
pub const SETTLEMENT: [&Table; 21] = [
    &CONTROL,
    &PRICES,
    &CHARGE_MODELS,
    &PRICE_CUSTOMERS,
    &OWNER_SHARES,
    &PERIODS,
    &TERMS,
    &CURRENCIES,
    &COMMITMENTS,
    &BUDGETS,
    &CORRECTIONS,
    &CHARGES,
    &TRUE_UPS,
    &INVOICES,
    &STATEMENTS,
    &PAYMENTS,
    &GRANTS,
    &DISPUTES,
    &ALLOCATIONS,
    &JOURNAL,
    &ALERTS,
];

/// The table of that name.
pub fn table(name: &str) -> Option<&'static Table> {
    ALL.into_iter().find(|t| t.name == name)
}

/// The metadata key under which a field carries its comment.
pub const COMMENT: &str = "comment";
/// The metadata key under which a field carries its encoding.
pub const ENCODING: &str = "encoding";

impl Table {
    /// The schema as readers see it.
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(Column::field).collect::<Vec<_>>()))
    }

    /// The schema in which rows are built: texts as dictionaries, except
    /// those with many different values.
    pub fn building_schema(&self) -> SchemaRef {
        let fields: Vec<Field> = self
            .columns
            .iter()
            .map(|column| {
                let field = column.field();
                if column.kind == Kind::Text && column.encoding == Encoding::Dictionary {
                    field.with_data_type(dictionary())
                } else {
                    field
                }
            })
            .collect();
        Arc::new(Schema::new(fields))
    }

    /// The index of a column.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }
}

/// The type in which low-cardinality texts are built.
pub fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

impl Column {
    fn field(&self) -> Field {
        let kind = match self.kind {
            Kind::Int => DataType::Int32,
            Kind::Long => DataType::Int64,
            Kind::Text => DataType::Utf8,
            Kind::Bytes => DataType::Binary,
            Kind::Bool => DataType::Boolean,
            Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
            Kind::Shards => DataType::List(Arc::new(Field::new("element", DataType::Struct(shard_fields()), false))),
        };
        let encoding = match self.encoding {
            Encoding::Dictionary => "dictionary",
            Encoding::Delta => "delta",
            Encoding::Plain => "plain",
        };
        Field::new(self.name, kind, self.nullable).with_metadata(HashMap::from([
            (COMMENT.to_owned(), self.comment.to_owned()),
            (ENCODING.to_owned(), encoding.to_owned()),
        ]))
    }
}

const fn column(name: &'static str, kind: Kind, nullable: bool, encoding: Encoding, comment: &'static str) -> Column {
    Column { name, kind, nullable, encoding, comment }
}

/// A text with few different values that must be there.
const fn text(name: &'static str, comment: &'static str) -> Column {
    column(name, Kind::Text, false, Encoding::Dictionary, comment)
}

/// The same where it can be absent.
const fn some_text(name: &'static str, comment: &'static str) -> Column {
    column(name, Kind::Text, true, Encoding::Dictionary, comment)
}

/// An integer that must be there.
const fn long(name: &'static str, comment: &'static str) -> Column {
    column(name, Kind::Long, false, Encoding::Plain, comment)
}

/// The same where it can be absent.
const fn some_long(name: &'static str, comment: &'static str) -> Column {
    column(name, Kind::Long, true, Encoding::Plain, comment)
}

/// A column whose values lie close together.
const fn delta(name: &'static str, kind: Kind, comment: &'static str) -> Column {
    column(name, kind, false, Encoding::Delta, comment)
}

/// A decimal number.
const fn decimal(name: &'static str, precision: u8, scale: i8, nullable: bool, comment: &'static str) -> Column {
    column(name, Kind::Decimal(precision, scale), nullable, Encoding::Plain, comment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_and_column_explains_itself() {
        for table in ALL {
            assert!(table.comment.len() > 20, "{}", table.name);
            let mut names: Vec<_> = table.columns.iter().map(|c| c.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.columns.len(), "{}", table.name);
            for column in table.columns {
                assert!(column.comment.len() > 10, "{}.{}", table.name, column.name);
            }
            for name in table.statistics {
                assert!(table.index(name).is_some(), "{}.{name}", table.name);
            }
        }
    }
}

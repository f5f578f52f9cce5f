//! The datasets of FOCUS 1.4 as files: the views of `docs/sql` in a fixed
//! order, with the names that the books do not know.
//!
//! Invariant: only `BillingAccountName`, `ServiceProviderName` and
//! `HostProviderName` say anything that the view does not say.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use stempoint_schemas::time::Month;

use crate::catalogue::Session;
use crate::error::QueryError;

/// A dataset of FOCUS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dataset {
    /// What was used, and what it costs.
    CostAndUsage,
    /// The lines of the invoices and credit notes that were issued.
    InvoiceDetail,
    /// Which months are open and which are closed.
    BillingPeriod,
}

/// Names that are not in the books.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The customers' by pseudonym.
    pub accounts: BTreeMap<String, String>,
    /// The company's that serves them.
    pub provider: Option<String>,
}

impl Dataset {
    fn view(self) -> &'static str {
        match self {
            Dataset::CostAndUsage => "focus_cost_and_usage",
            Dataset::InvoiceDetail => "focus_invoice_detail",
            Dataset::BillingPeriod => "focus_billing_period",
        }
    }

    /// Columns that tell its rows apart.
    fn order(self) -> &'static str {
        match self {
            Dataset::CostAndUsage => {
                "\"BillingPeriodStart\", \"BillingAccountId\", \"BillingCurrency\", \"InvoiceId\", \"ChargeCategory\" DESC, \
                 \"SkuPriceId\", \"x_PriceId\", \"ChargePeriodStart\""
            }
            Dataset::InvoiceDetail => {
                "\"BillingPeriodStart\", \"InvoiceId\", \"ChargeCategory\" DESC, \"InvoiceDetailId\""
            }
            Dataset::BillingPeriod => "\"BillingPeriodStart\", \"InvoiceIssuerName\"",
        }
    }
}

/// The rows of a dataset, those of one billing period or all.
///
/// # Errors
/// [`QueryError`]; also in the stream.
pub async fn rows(
    session: &Session,
    dataset: Dataset,
    period: Option<Month>,
    names: Names,
) -> Result<SendableRecordBatchStream, QueryError> {
    let period = period.map_or_else(String::new, |period| {
        format!("WHERE \"BillingPeriodStart\" = CAST('{period}-01T00:00:00' AS TIMESTAMP(6)) ")
    });
    let query = format!("SELECT * FROM {} {period}ORDER BY {}", dataset.view(), dataset.order());
    let rows = session.sql(&query).await?;
    let schema = rows.schema();
    let named = rows.map(move |batch| batch.and_then(|batch| Ok(names.put_into(&batch)?)));
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, named)))
}

impl Names {
    fn put_into(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let schema = batch.schema();
        let mut columns = batch.columns().to_vec();
        for (field, column) in schema.fields().iter().zip(&mut columns) {
            let names = match (field.name().as_str(), &self.provider) {
                ("BillingAccountName", _) => self.of_accounts(batch)?,
                ("ServiceProviderName" | "HostProviderName", Some(provider)) => {
                    StringArray::from_iter_values(std::iter::repeat_n(provider, batch.num_rows()))
                }
                _ => continue,
            };
            *column = cast(&(Arc::new(names) as ArrayRef), field.data_type())?;
        }
        RecordBatch::try_new(schema, columns)
    }

    fn of_accounts(&self, batch: &RecordBatch) -> Result<StringArray, ArrowError> {
        let missing = || ArrowError::SchemaError("there is no BillingAccountId".to_owned());
        let ids = cast(batch.column_by_name("BillingAccountId").ok_or_else(missing)?, &DataType::Utf8)?;
        let ids = ids.as_string::<i32>();
        Ok((0..ids.len()).map(|row| self.accounts.get(ids.value(row)).map(String::as_str)).collect())
    }
}

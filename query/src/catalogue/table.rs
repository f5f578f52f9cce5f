//! One table of the books, as DataFusion scans it.
//!
//! Invariant 6: exactly the visible rows come out. Files wholly below the
//! line are read as they are, those wholly above it are left out, and those
//! that straddle it pass a filter.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::{ParquetOptions, TableParquetOptions};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExecBuilder;
use datafusion::physical_plan::union::UnionExec;
use object_store::ObjectMeta;
use object_store::path::Path;
use stempoint_schemas::tables::Table;
use stempoint_store::DataFile;

use super::pruning::prune;
use super::visibility::{Place, Visibility};

/// How much of a file's end is read at first (bytes): most footers fit.
const FOOTER_BYTES: usize = 64 << 10;

/// Where the files of a lake are.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    /// The name under which the store is registered.
    pub(crate) store: ObjectStoreUrl,
    /// The lake's folder, from the store's root.
    pub(crate) folder: Path,
}

/// One table at one ledger version.
#[derive(Debug)]
pub(crate) struct LedgerTable {
    schema: SchemaRef,
    location: Location,
    folder: Path,
    files: Vec<(Arc<DataFile>, Place)>,
    visibility: Visibility,
}

impl LedgerTable {
    pub(crate) fn new(
        table: &Table,
        location: &Location,
        files: &[Arc<DataFile>],
        visibility: Visibility,
    ) -> LedgerTable {
        let files = files.iter().map(|file| (Arc::clone(file), visibility.place(file)));
        LedgerTable {
            schema: reading_schema(table),
            location: location.clone(),
            folder: location.folder.clone().join(table.name),
            files: files.filter(|(_, place)| *place != Place::Hidden).collect(),
            visibility,
        }
    }

    fn files_at(&self, wanted: Place) -> Vec<Arc<DataFile>> {
        self.files.iter().filter(|(_, place)| *place == wanted).map(|(file, _)| Arc::clone(file)).collect()
    }

    fn scan_files(
        &self,
        state: &dyn Session,
        files: &[Arc<DataFile>],
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
        row_filter: bool,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let store = state.runtime_env().object_store(&self.location.store)?;
        let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
        let global =
            ParquetOptions { pushdown_filters: row_filter, ..state.config_options().execution.parquet.clone() };
        let options = TableParquetOptions { global, ..TableParquetOptions::default() };
        let source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(options)
            .with_metadata_size_hint(FOOTER_BYTES)
            .with_parquet_file_reader_factory(Arc::new(CachedParquetFileReaderFactory::new(store, cache)));
        let config = FileScanConfigBuilder::new(self.location.store.clone(), Arc::new(source))
            .with_file_groups(self.groups(files, state.config().target_partitions()))
            .with_statistics(self.statistics(files))
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// Scans files of which only some rows are visible.
    fn scan_straddling(
        &self,
        state: &dyn Session,
        files: &[Arc<DataFile>],
        projection: Option<&Vec<usize>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let mut read = wanted.clone();
        for column in self.visibility.columns() {
            let index = self.schema.index_of(column)?;
            if !read.contains(&index) {
                read.push(index);
            }
        }
        let scan = self.scan_files(state, files, Some(&read), None, false)?;
        let filter = self.visibility.filter(&scan.schema())?;
        let filtered =
            FilterExecBuilder::new(filter, scan).apply_projection(Some((0..wanted.len()).collect()))?.build()?;
        Ok(Arc::new(filtered))
    }

    /// Spreads files over as many groups as there are threads, by size. Each
    /// group begins with its newest file: a question for the latest rows then
    /// rules out the others early.
    fn groups(&self, files: &[Arc<DataFile>], threads: usize) -> Vec<FileGroup> {
        let mut largest_first: Vec<(usize, &Arc<DataFile>)> = files.iter().enumerate().collect();
        largest_first.sort_by_key(|(_, file)| std::cmp::Reverse(file.size));
        let mut groups: Vec<(u64, Vec<usize>)> = vec![(0, Vec::new()); threads.clamp(1, files.len().max(1))];
        for (index, file) in largest_first {
            if let Some((bytes, group)) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
                *bytes += file.size;
                group.push(index);
            }
        }
        let newest_first = |(_, mut group): (u64, Vec<usize>)| {
            group.sort_unstable_by_key(|index| std::cmp::Reverse(*index));
            FileGroup::new(group.into_iter().map(|index| self.partitioned(&files[index])).collect())
        };
        groups.into_iter().map(newest_first).collect()
    }

    fn partitioned(&self, file: &DataFile) -> PartitionedFile {
        let location = file.path.split('/').fold(self.folder.clone(), |folder, part| folder.join(part));
        PartitionedFile::new_from_meta(ObjectMeta {
            location,
            last_modified: DateTime::from_timestamp_millis(file.modified_ms).unwrap_or(DateTime::<Utc>::UNIX_EPOCH),
            size: file.size,
            e_tag: None,
            version: None,
        })
    }

    /// Sizes for the optimiser. They are estimates to it, so that answers
    /// always come from the files and never from the Delta log.
    fn statistics(&self, files: &[Arc<DataFile>]) -> Statistics {
        let total = |of: fn(&DataFile) -> u64| {
            let sum = files.iter().fold(0_u64, |sum, file| sum.saturating_add(of(file)));
            Precision::Inexact(usize::try_from(sum).unwrap_or(usize::MAX))
        };
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = total(|file| file.rows);
        statistics.total_byte_size = total(|file| file.size);
        statistics
    }
}

#[async_trait]
impl TableProvider for LedgerTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut plans = Vec::with_capacity(2);
        let visible = prune(state, &self.schema, filters, self.files_at(Place::Visible));
        if !visible.is_empty() {
            plans.push(self.scan_files(state, &visible, projection, limit, filters.iter().any(names_one))?);
        }
        let straddling = prune(state, &self.schema, filters, self.files_at(Place::Straddling));
        if !straddling.is_empty() {
            plans.push(self.scan_straddling(state, &straddling, projection)?);
        }
        match plans.len() {
            0 => {
                let schema = match projection {
                    Some(columns) => Arc::new(self.schema.project(columns)?),
                    None => Arc::clone(&self.schema),
                };
                Ok(Arc::new(EmptyExec::new(schema)))
            }
            1 => Ok(plans.remove(0)),
            _ => UnionExec::try_new(plans),
        }
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // They leave out files and row groups; the rest is filtered above.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// Whether a condition asks for one text, such as an account, of which few rows
/// are: then it is worth reading its column first, and of the others only what
/// belongs to the rows that are found.
fn names_one(filter: &Expr) -> bool {
    let is_text = |expr: &Expr| matches!(expr, Expr::Literal(value, _) if value.data_type().is_string());
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            matches!(**left, Expr::Column(_)) && is_text(right) || matches!(**right, Expr::Column(_)) && is_text(left)
        }
        _ => false,
    }
}

/// A table's schema with texts and bytes as views, which are read and grouped
/// faster. The comments stay.
fn reading_schema(table: &Table) -> SchemaRef {
    let fields: Vec<Field> = table
        .schema()
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            DataType::Utf8 => field.as_ref().clone().with_data_type(DataType::Utf8View),
            DataType::Binary => field.as_ref().clone().with_data_type(DataType::BinaryView),
            _ => field.as_ref().clone(),
        })
        .collect();
    Arc::new(Schema::new(fields))
}

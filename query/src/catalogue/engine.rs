//! The query engine of one lake: its memory, its caches and its files, shared
//! by all sessions.
//!
//! Invariant: what all queries together hold in memory and spill to disk
//! stays within the engine's options.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use object_store::ObjectStore;
use object_store::path::Path;
use stempoint_schemas::tables::COMMITS;
use stempoint_store::{DataFile, Stat};
use url::Url;

use super::files::LedgerFiles;
use super::pin::Pin;
use super::session::Session;
use super::table::{LedgerTable, Location};
use super::visibility::Visibility;
use crate::deep::DeepThreads;
use crate::error::QueryError;
use crate::exact;

/// The names of the catalogue and the schema that tables are in.
pub(crate) const CATALOGUE: &str = "stempoint";
pub(crate) const SCHEMA: &str = "public";

/// How much the engine may use.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Memory for sorting, grouping and joining, all queries together (bytes).
    pub memory_bytes_max: usize,
    /// Memory for the footers of Parquet files (bytes).
    pub metadata_bytes_max: usize,
    /// Where queries that need more memory spill to; the system's folder for
    /// temporary files if there is none.
    pub spill_folder: Option<PathBuf>,
    /// How much they may spill, all queries together (bytes).
    pub spill_bytes_max: u64,
    /// How many threads one query may use.
    pub threads: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            memory_bytes_max: 512 << 20,
            metadata_bytes_max: 64 << 20,
            spill_folder: None,
            spill_bytes_max: 16 << 30,
            threads: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        }
    }
}

/// The query engine of one lake.
#[derive(Debug, Clone)]
pub struct Engine {
    state: SessionState,
    threads: DeepThreads,
    location: Location,
}

impl Engine {
    /// An engine over the lake at `url`, seen from the root of `store`.
    ///
    /// # Errors
    /// [`QueryError::Failed`] if the URL cannot be used, or the folder for
    /// spilling or the threads cannot be created.
    pub fn new(store: Arc<dyn ObjectStore>, url: &Url, options: EngineOptions) -> Result<Engine, QueryError> {
        let failed = |detail: String| QueryError::Failed(format!("the lake at {url} cannot be used: {detail}"));
        let folder = Path::from_url_path(url.path()).map_err(|error| failed(error.to_string()))?;
        let name = ObjectStoreUrl::parse("lake://ledger")?;
        let runtime = runtime(&options)?;
        runtime.register_object_store(name.as_ref(), store);
        let mut state = SessionStateBuilder::new()
            .with_config(config(&options))
            .with_runtime_env(runtime)
            .with_default_features()
            .build();
        exact::install(&mut state)?;
        let threads = DeepThreads::new(options.threads)?;
        Ok(Engine { state, threads, location: Location { store: name, folder } })
    }

    /// Reads what a ledger version stands for; `None` is the latest one.
    /// `commits` are the files of the table of that name.
    ///
    /// # Errors
    /// [`QueryError::NoVersion`] if there is none at all,
    /// [`QueryError::UnknownVersion`] if there is not this one, and errors of
    /// reading.
    pub async fn pin(&self, commits: &[Arc<DataFile>], version: Option<i64>) -> Result<Pin, QueryError> {
        let newest;
        let (files, condition) = match version {
            Some(version) => (commits, format!("WHERE version = {version}")),
            None => {
                newest = newest_files(commits);
                (newest.as_slice(), "ORDER BY version DESC LIMIT 1".to_owned())
            }
        };
        let sql = format!("SELECT {} FROM commits {condition}", Pin::COLUMNS);
        let batches = self.query_commits(files, &sql).await?;
        match batches.iter().find(|batch| batch.num_rows() > 0) {
            Some(batch) => Pin::from_commit(batch, 0),
            None => Err(self.no_such_version(commits, version).await),
        }
    }

    /// A session that sees the version of `pin`. The snapshots in `files` must
    /// have been taken after that version was committed.
    ///
    /// # Errors
    /// [`QueryError::Plan`] if a table cannot be registered.
    pub fn session(&self, pin: Pin, files: &LedgerFiles) -> Result<Session, QueryError> {
        Session::new(&self.state, self.threads.clone(), &self.location, pin, files)
    }

    async fn query_commits(
        &self,
        files: &[Arc<DataFile>],
        sql: &str,
    ) -> Result<Vec<arrow::record_batch::RecordBatch>, QueryError> {
        let context = fresh_context(&self.state);
        let table = LedgerTable::new(&COMMITS, &self.location, files, Visibility::All);
        context.register_table(COMMITS.name, Arc::new(table))?;
        Ok(context.sql(sql).await?.collect().await?)
    }

    async fn no_such_version(&self, commits: &[Arc<DataFile>], version: Option<i64>) -> QueryError {
        // The version that was asked for may just be too high.
        let latest = match version {
            Some(_) => Box::pin(self.pin(commits, None)).await,
            None => Err(QueryError::NoVersion),
        };
        match (version, latest) {
            (Some(version), Ok(latest)) => {
                QueryError::UnknownVersion { version, known: format!("the latest one is {}", latest.version) }
            }
            (_, Err(error)) => error,
            (None, Ok(_)) => QueryError::NoVersion,
        }
    }
}

/// A context with the same settings and memory but no tables.
pub(crate) fn fresh_context(state: &SessionState) -> SessionContext {
    let catalogues = Arc::new(datafusion::catalog::MemoryCatalogProviderList::new());
    let mut state = state.clone();
    state.register_catalog_list(catalogues);
    let schema = Arc::new(datafusion::catalog::MemorySchemaProvider::new());
    let catalogue = datafusion::catalog::MemoryCatalogProvider::new();
    // A new catalogue takes any schema.
    let _ = datafusion::catalog::CatalogProvider::register_schema(&catalogue, SCHEMA, schema);
    state.catalog_list().register_catalog(CATALOGUE.to_owned(), Arc::new(catalogue));
    SessionContext::new_with_state(state)
}

/// Of the files of `commits` those that can hold the latest version.
fn newest_files(commits: &[Arc<DataFile>]) -> Vec<Arc<DataFile>> {
    let last = |file: &DataFile| match file.max("version") {
        Some(Stat::Int(version)) => Some(*version),
        _ => None,
    };
    let newest = commits.iter().filter_map(|file| last(file)).max();
    commits.iter().filter(|file| last(file).is_none() || last(file) == newest).cloned().collect()
}

fn runtime(options: &EngineOptions) -> Result<Arc<RuntimeEnv>, QueryError> {
    /// How many consumers an error about memory names.
    const CONSUMERS_NAMED: NonZeroUsize = NonZeroUsize::new(3).unwrap();
    let pool = TrackConsumersPool::new(FairSpillPool::new(options.memory_bytes_max), CONSUMERS_NAMED);
    let mode = match &options.spill_folder {
        Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let disk = DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(options.spill_bytes_max);
    Ok(RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(disk)
        .with_metadata_cache_limit(options.metadata_bytes_max)
        .build_arc()?)
}

fn config(options: &EngineOptions) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOGUE, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true)
        .with_target_partitions(options.threads.max(1));
    // Prices such as 0.35 are exact numbers here, not floating-point ones.
    config.options_mut().sql_parser.parse_float_as_decimal = true;
    // Where a column with a comment is united with one that has another or
    // none, plans differ in which they keep; that is no reason to refuse.
    config.options_mut().execution.skip_physical_aggregate_schema_check = true;
    config
}

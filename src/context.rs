//! What every command is given: the data folder, the choice of log, and the
//! runtime.

use anyhow::{Context as _, Result};
use tokio::runtime::Runtime;

use crate::cli::Global;
use crate::config::ConfigFile;
use crate::data::DataFolder;
use crate::node::LogChoice;

/// One invocation of the program.
pub struct Context {
    /// The data folder.
    pub data: DataFolder,
    /// The configuration, which the commands that need it read.
    pub config: ConfigFile,
    /// The event log.
    pub log: LogChoice,
    /// Where asynchronous work runs.
    pub runtime: Runtime,
}

impl Context {
    /// From the global options; the data folder has this name where none was
    /// given.
    pub fn new(global: &Global, default_folder: &str) -> Result<Context> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("stempoint")
            .build()
            .context("failed to start the runtime")?;
        let log = match &global.kafka {
            Some(brokers) => LogChoice::Kafka { brokers: brokers.clone(), prefix: global.topic_prefix.clone() },
            None => LogChoice::Embedded,
        };
        let data = match &global.data {
            Some(folder) => DataFolder::new(folder.clone()),
            None => DataFolder::default_named(default_folder)?,
        };
        let config = ConfigFile::choose(global.config.as_deref(), data.path());
        Ok(Context { data, config, log, runtime })
    }
}

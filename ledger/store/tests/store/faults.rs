//! An object store that fails on purpose, in the ways in which real ones do.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// What happens to the put of an entry of a Delta log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It takes place, and is reported.
    None,
    /// It takes place, and an error is reported.
    LandThenFail,
    /// It takes place, and is reported as a conflict.
    LandThenExists,
    /// It does not take place, and an error is reported.
    Fail,
    /// It does not take place, for want of space.
    DiskFull,
}

type Chooser = Box<dyn FnMut() -> (Fault, usize) + Send>;
/// What others do just before something is read, whose name ends so.
type Meanwhile = (String, BoxFuture<'static, ()>);

/// Wraps a store.
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    /// The faults of the next puts.
    pub script: Mutex<VecDeque<Fault>>,
    /// Chooses a fault and how often to let others go first, for each request.
    chooser: Mutex<Option<Chooser>>,
    /// Whether the script also applies to data files.
    pub data_too: bool,
    /// What happens once, in the middle of a read.
    pub meanwhile: Mutex<Option<Meanwhile>>,
}

impl FaultyStore {
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self {
            inner,
            script: Mutex::default(),
            chooser: Mutex::new(None),
            data_too: false,
            meanwhile: Mutex::default(),
        }
    }

    pub fn random(inner: Arc<dyn ObjectStore>, chooser: Chooser) -> Self {
        Self { chooser: Mutex::new(Some(chooser)), ..Self::new(inner) }
    }

    fn choose(&self) -> (Fault, usize) {
        match self.chooser.lock().expect("unpoisoned").as_mut() {
            Some(chooser) => chooser(),
            None => (Fault::None, 0),
        }
    }

    async fn let_others_go_first(&self) {
        for _ in 0..self.choose().1 {
            tokio::task::yield_now().await;
        }
    }

    fn fault(&self, location: &Path) -> Fault {
        let concerned = self.data_too || location.as_ref().ends_with(".json");
        match concerned.then(|| self.script.lock().expect("unpoisoned").pop_front()) {
            None => Fault::None,
            Some(Some(fault)) => fault,
            Some(None) => self.choose().0,
        }
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultyStore({:?})", self.inner)
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultyStore({})", self.inner)
    }
}

fn error(source: io::Error) -> Error {
    Error::Generic { store: "faulty", source: Box::new(source) }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.let_others_go_first().await;
        let fault = self.fault(location);
        if fault == Fault::Fail {
            return Err(error(io::Error::from(io::ErrorKind::ConnectionReset)));
        }
        if fault == Fault::DiskFull {
            return Err(error(io::Error::from(io::ErrorKind::StorageFull)));
        }
        let result = self.inner.put_opts(location, payload, opts).await?;
        self.let_others_go_first().await;
        match fault {
            Fault::LandThenFail => Err(error(io::Error::from(io::ErrorKind::TimedOut))),
            Fault::LandThenExists => Err(Error::AlreadyExists {
                path: location.to_string(),
                source: Box::new(io::Error::from(io::ErrorKind::AlreadyExists)),
            }),
            _ => Ok(result),
        }
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.let_others_go_first().await;
        let meanwhile =
            self.meanwhile.lock().expect("unpoisoned").take_if(|(name, _)| location.as_ref().ends_with(&*name));
        if let Some((_, others)) = meanwhile {
            others.await;
        }
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

//! The object store of one machine: `LocalFileSystem`, with everything that it
//! writes synced.
//!
//! Invariant: when a put, copy, rename or multipart upload reports success,
//! content and name are on disk; what was visible for a moment before was
//! already synced, so that no reader builds on bytes that a power cut takes.

use std::fmt;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, UploadPart,
};

use crate::sync::{StagedFile, sync_folder};

type Result<T> = object_store::Result<T>;

/// A local object store that syncs what it writes.
#[derive(Debug)]
pub struct SyncedLocalStore {
    inner: LocalFileSystem,
}

impl SyncedLocalStore {
    /// The whole file system: paths are absolute without their first slash.
    #[expect(clippy::new_without_default, reason = "a file system is no default value")]
    pub fn new() -> Self {
        Self { inner: LocalFileSystem::new() }
    }
}

impl fmt::Display for SyncedLocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SyncedLocalStore")
    }
}

/// Runs disk work where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await?,
        Err(_) => work(),
    }
}

fn failed(path: &std::path::Path, error: io::Error) -> object_store::Error {
    let name = path.display().to_string();
    match error.kind() {
        io::ErrorKind::AlreadyExists => object_store::Error::AlreadyExists { path: name, source: Box::new(error) },
        io::ErrorKind::NotFound => object_store::Error::NotFound { path: name, source: Box::new(error) },
        io::ErrorKind::PermissionDenied => {
            object_store::Error::PermissionDenied { path: name, source: Box::new(error) }
        }
        _ => object_store::Error::Generic { store: "SyncedLocalStore", source: Box::new(error) },
    }
}

fn put(path: &std::path::Path, payload: &PutPayload, mode: &PutMode) -> io::Result<()> {
    let staged = StagedFile::create(path)?;
    for chunk in payload.iter() {
        staged.file().write_all(chunk)?;
    }
    match mode {
        PutMode::Create => staged.create_new(),
        _ => staged.replace(),
    }
}

#[async_trait]
impl ObjectStore for SyncedLocalStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if matches!(opts.mode, PutMode::Update(_)) || !opts.attributes.is_empty() {
            return Err(object_store::Error::NotImplemented {
                operation: "conditional updates and attributes".to_owned(),
                implementer: self.to_string(),
            });
        }
        let path = self.inner.path_to_filesystem(location)?;
        blocking(move || {
            put(&path, &payload, &opts.mode).map_err(|error| failed(&path, error))?;
            Ok(PutResult { e_tag: None, version: None })
        })
        .await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        if !opts.attributes.is_empty() {
            return Err(object_store::Error::NotImplemented {
                operation: "attributes".to_owned(),
                implementer: self.to_string(),
            });
        }
        let path = self.inner.path_to_filesystem(location)?;
        blocking(move || {
            let staged = StagedFile::create(&path).map_err(|error| failed(&path, error))?;
            let upload: Box<dyn MultipartUpload> =
                Box::new(SyncedUpload { staged: Arc::new(Mutex::new(Some(staged))), path, offset: 0 });
            Ok(upload)
        })
        .await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
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

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        // The copy is a link to the same content, which was synced when it was put.
        self.inner.copy_opts(from, to, options).await?;
        self.sync_folder_of(to).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await?;
        self.sync_folder_of(to).await?;
        self.sync_folder_of(from).await
    }
}

impl SyncedLocalStore {
    async fn sync_folder_of(&self, location: &Path) -> Result<()> {
        let path = self.inner.path_to_filesystem(location)?;
        blocking(move || {
            let folder = path.parent().unwrap_or(&path);
            sync_folder(folder).map_err(|error| failed(folder, error))
        })
        .await
    }
}

/// An upload in parts: one staged file that each part writes its own range of.
#[derive(Debug)]
struct SyncedUpload {
    staged: Arc<Mutex<Option<StagedFile>>>,
    path: PathBuf,
    offset: u64,
}

#[async_trait]
impl MultipartUpload for SyncedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (staged, path, offset) = (Arc::clone(&self.staged), self.path.clone(), self.offset);
        self.offset += data.content_length() as u64;
        blocking(move || {
            let staged = staged.lock().unwrap_or_else(PoisonError::into_inner);
            let staged = staged.as_ref().ok_or_else(|| failed(&path, io::Error::other("the upload is over")))?;
            let mut file = staged.file();
            file.seek(SeekFrom::Start(offset))
                .and_then(|_| data.iter().try_for_each(|chunk| file.write_all(chunk)))
                .map_err(|error| failed(&path, error))
        })
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (staged, path) = (Arc::clone(&self.staged), self.path.clone());
        blocking(move || {
            let staged = staged.lock().unwrap_or_else(PoisonError::into_inner).take();
            let staged = staged.ok_or_else(|| failed(&path, io::Error::other("the upload is over")))?;
            staged.replace().map_err(|error| failed(&path, error))?;
            Ok(PutResult { e_tag: None, version: None })
        })
        .await
    }

    async fn abort(&mut self) -> Result<()> {
        // Dropping a staged file removes it.
        self.staged.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;

    fn location(folder: &std::path::Path, name: &str) -> Path {
        Path::from_absolute_path(folder.join(name)).expect("a path")
    }

    fn names(folder: &std::path::Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn puts_appear_whole_and_leave_nothing_staged() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SyncedLocalStore::new();
        let deep = folder.path().join("new/folder");
        let a = location(&deep, "a");
        store.put(&a, "one".into()).await.expect("put");
        store.put(&a, "two".into()).await.expect("overwrite");
        let create = PutOptions::from(PutMode::Create);
        let taken = store.put_opts(&a, "three".into(), create.clone()).await;
        assert!(matches!(taken, Err(object_store::Error::AlreadyExists { .. })), "{taken:?}");
        store.put_opts(&location(&deep, "b"), "b".into(), create).await.expect("create");
        assert_eq!(store.get(&a).await.expect("get").bytes().await.expect("bytes"), "two");
        assert_eq!(names(&deep), ["a", "b"]);
    }

    #[tokio::test]
    async fn uploads_in_parts_keep_their_order_and_can_be_aborted() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SyncedLocalStore::new();
        let whole = location(folder.path(), "whole");
        let mut upload = store.put_multipart(&whole).await.expect("start");
        let (first, second) = (upload.put_part("first ".into()), upload.put_part("second".into()));
        second.await.expect("second");
        first.await.expect("first");
        assert_eq!(names(folder.path()), ["whole#1"]);
        upload.complete().await.expect("complete");
        assert_eq!(store.get(&whole).await.expect("get").bytes().await.expect("bytes"), "first second");
        let mut upload = store.put_multipart(&location(folder.path(), "aborted")).await.expect("start");
        upload.put_part("x".into()).await.expect("part");
        upload.abort().await.expect("abort");
        assert_eq!(names(folder.path()), ["whole"]);
    }

    #[tokio::test]
    async fn copies_and_renames_work() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SyncedLocalStore::new();
        let (a, b, c) = (location(folder.path(), "a"), location(folder.path(), "b"), location(folder.path(), "d/c"));
        store.put(&a, "a".into()).await.expect("put");
        store.copy(&a, &b).await.expect("copy");
        store.rename_if_not_exists(&b, &c).await.expect("rename");
        assert!(store.copy_if_not_exists(&a, &c).await.is_err());
        assert_eq!(names(folder.path()), ["a", "d"]);
    }
}

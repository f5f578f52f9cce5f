//! Questions to small books on disk: what is visible, what may be run, what
//! comes out, and the documents to the byte.

mod credit_notes;
mod deep;
mod documents;
mod exact;
mod formats;
mod golden;
mod measure;
mod pdf;
mod pictures;
mod read_only;
mod stored;
mod support;
mod views;
mod visibility;

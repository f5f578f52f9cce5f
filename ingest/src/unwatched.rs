//! An observer that looks away, for whoever runs a fold or settlement and
//! watches only the ledger.

use std::time::Duration;

use stempoint_core::settlement::ControlRow;
use stempoint_schemas::commit::Commit;

use crate::fold::FoldObserver;
use crate::settlement::SettleObserver;

/// Watches nothing.
pub struct Unwatched;

impl FoldObserver for Unwatched {
    fn committed(&self, _head: &Commit, _took: Duration) {}
}

impl SettleObserver for Unwatched {
    fn handled(&self, _control: &ControlRow, _rows: u64, _busy: Duration) {}
}

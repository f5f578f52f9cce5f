//! The hash chain of `commits` (invariant 11).

use stempoint_schemas::commit::Commit;
use stempoint_schemas::hash::hex;

use super::Check;

/// Whether every ledger version follows the one before.
pub fn check(versions: &[Commit], partitions: usize) -> Check {
    let mut check = Check::new("hash chain of commits");
    let mut before = Commit::first(partitions, 0);
    for commit in versions {
        let version = commit.version;
        if version != before.version + 1 {
            check.problem(format!("version {version} follows version {}", before.version));
        }
        if commit.previous_hash != before.hash() {
            check.problem(format!("version {version} does not continue the chain of version {}", before.version));
        }
        if !commit.visible().covers(&before.visible()) || !commit.settled().covers(&before.settled()) {
            check.problem(format!("version {version} shows less than version {}", before.version));
        }
        if commit.control_offset < before.control_offset {
            check
                .problem(format!("version {version} has handled fewer control events than version {}", before.version));
        }
        before = commit.clone();
    }
    check.figures = format!("{} versions, head {}", versions.len(), &hex(&before.hash())[..16]);
    check
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// Five versions, the third of which is changed before the others follow
    /// it, so that every hash is right.
    fn problems(change: fn(&mut Commit)) -> Vec<String> {
        let mut before = Commit::first(2, 0);
        let mut versions = Vec::new();
        for number in 1..=5 {
            let mut next = before.following(0);
            for (shard, further) in next.shards.iter_mut().zip([10, 20]) {
                shard.watermark += further;
                shard.settled += further / 2;
            }
            next.control_offset += 2;
            if number == 3 {
                change(&mut next);
            }
            before = next.clone();
            versions.push(next);
        }
        check(&versions, 2).problems
    }

    #[test]
    fn a_chain_with_right_hashes_may_still_go_back_or_leave_something_out() {
        type Case = (fn(&mut Commit), &'static str);
        let cases: [Case; 5] = [
            (|commit| commit.version += 1, "version 4 follows version 2"),
            (|commit| commit.version -= 1, "version 2 follows version 2"),
            (|commit| commit.shards[1].watermark = 39, "version 3 shows less than version 2"),
            (|commit| commit.shards[0].settled = 9, "version 3 shows less than version 2"),
            (|commit| commit.control_offset = 3, "version 3 has handled fewer control events than version 2"),
        ];
        for (change, problem) in cases {
            assert_eq!(problems(change), [problem]);
        }
        assert!(problems(|_| ()).is_empty());
    }
}

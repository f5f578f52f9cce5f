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
        for problem in contradictions(commit, &before) {
            check
                .problem(format!("version {version} says something else than version {} of {problem}", before.version));
        }
        for place in unrecorded(commit) {
            check.problem(format!("version {version} does not say which record is the last one of {place}"));
        }
        before = commit.clone();
    }
    check.figures = format!("{} versions, head {}", versions.len(), &hex(&before.hash())[..16]);
    check
}

/// The rows that both versions show to the same end and of which they do not
/// say the same.
fn contradictions(commit: &Commit, before: &Commit) -> Vec<String> {
    let shards = commit.shards.iter().zip(&before.shards).enumerate();
    let mut found: Vec<String> = shards
        .filter(|(_, (now, then))| {
            now.watermark == then.watermark
                && (now.counts, &now.tree, now.last_record) != (then.counts, &then.tree, then.last_record)
        })
        .map(|(partition, _)| format!("the rows of partition {partition}"))
        .collect();
    let settlement = |commit: &Commit| (commit.settlement.clone(), commit.control_record);
    if commit.control_offset == before.control_offset && settlement(commit) != settlement(before) {
        found.push("settlement's rows".to_owned());
    }
    found
}

/// The logs whose last record's hash is missing, so that a log that is not
/// the one that was folded would not be noticed.
fn unrecorded(commit: &Commit) -> Vec<String> {
    let shards = commit.shards.iter().enumerate();
    let mut found: Vec<String> = shards
        .filter(|(_, shard)| shard.counts.received > 0 && shard.last_record.is_none())
        .map(|(partition, _)| format!("partition {partition}"))
        .collect();
    if commit.control_offset > 0 && commit.control_record.is_none() {
        found.push("the control topic".to_owned());
    }
    found
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
                shard.counts.received += further;
                shard.last_record = Some([number as u8; 32]);
            }
            next.control_offset += 2;
            next.control_record = Some([number as u8; 32]);
            if number == 3 {
                change(&mut next);
            }
            before = next.clone();
            versions.push(next);
        }
        check(&versions, 2).problems
    }

    /// Takes partition 0 back to where version 2 left it.
    fn back(commit: &mut Commit) -> &mut stempoint_schemas::commit::Shard {
        let shard = &mut commit.shards[0];
        (shard.watermark, shard.counts.received, shard.last_record) = (20, 20, Some([2; 32]));
        shard
    }

    #[test]
    fn a_chain_with_right_hashes_may_still_go_back_or_leave_something_out() {
        type Case = (fn(&mut Commit), &'static str);
        let cases: [Case; 11] = [
            (|commit| commit.version += 1, "version 4 follows version 2"),
            (|commit| commit.version -= 1, "version 2 follows version 2"),
            (|commit| commit.shards[1].watermark = 39, "version 3 shows less than version 2"),
            (|commit| commit.shards[0].settled = 9, "version 3 shows less than version 2"),
            (|commit| commit.control_offset = 3, "version 3 has handled fewer control events than version 2"),
            (
                |commit| commit.shards[1].last_record = None,
                "version 3 does not say which record is the last one of partition 1",
            ),
            (
                |commit| commit.control_record = None,
                "version 3 does not say which record is the last one of the control topic",
            ),
            (
                |commit| back(commit).counts.accepted += 1,
                "version 3 says something else than version 2 of the rows of partition 0",
            ),
            (
                |commit| back(commit).tree.push([1; 32]),
                "version 3 says something else than version 2 of the rows of partition 0",
            ),
            (
                |commit| back(commit).last_record = Some([9; 32]),
                "version 3 says something else than version 2 of the rows of partition 0",
            ),
            (
                |commit| {
                    commit.control_offset = 4;
                    commit.settlement.push([1; 32]);
                },
                "version 3 says something else than version 2 of settlement's rows",
            ),
        ];
        for (change, problem) in cases {
            assert_eq!(problems(change), [problem]);
        }
        assert!(problems(|_| ()).is_empty());
    }
}

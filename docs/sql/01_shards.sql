-- One row per partition of the usage topic at the newest ledger version: up to
-- where its rows are visible and settled, and how many records had which outcome.
CREATE VIEW shards AS
SELECT
    shard['partition'] AS _partition,
    shard['watermark'] AS watermark,
    shard['settled'] AS settled,
    shard['received'] AS received,
    shard['accepted'] AS accepted,
    shard['duplicate'] AS duplicate,
    shard['rejected'] AS rejected
FROM (
    SELECT unnest(shards) AS shard
    FROM commits
    WHERE version = (SELECT max(version) FROM commits)
) AS newest;

-- No record is lost: in every partition each received record was accepted,
-- rejected or a duplicate, and stands in a table. `difference` must be 0 in
-- every row: it adds up how far the counts of `commits` are from each other and
-- from the rows of the tables.
CREATE VIEW audit_records AS
SELECT _partition, watermark, received, accepted, duplicate, rejected,
    accepted_rows, duplicate_rows, rejected_rows,
    abs(received - accepted - duplicate - rejected) + abs(accepted - accepted_rows)
        + abs(duplicate - duplicate_rows) + abs(rejected - rejected_rows) AS difference
FROM (
    SELECT shards._partition, watermark, received, accepted, duplicate, rejected,
        coalesce(sum(CASE WHEN outcome = 'accepted' THEN stored ELSE 0 END), 0) AS accepted_rows,
        coalesce(sum(CASE WHEN outcome = 'duplicate' THEN stored ELSE 0 END), 0) AS duplicate_rows,
        coalesce(sum(CASE WHEN outcome = 'rejected' THEN stored ELSE 0 END), 0) AS rejected_rows
    FROM shards
    LEFT JOIN (
        SELECT 'accepted' AS outcome, _partition, count(*) AS stored FROM api_calls GROUP BY _partition
        UNION ALL
        SELECT 'accepted' AS outcome, _partition, count(*) AS stored FROM gpu_usage GROUP BY _partition
        UNION ALL
        SELECT 'accepted' AS outcome, _partition, count(*) AS stored FROM heartbeats GROUP BY _partition
        UNION ALL
        SELECT 'duplicate' AS outcome, _partition, count(*) AS stored FROM duplicates GROUP BY _partition
        UNION ALL
        SELECT 'rejected' AS outcome, _partition, count(*) AS stored FROM rejects GROUP BY _partition
    ) AS counted ON shards._partition = counted._partition
    GROUP BY shards._partition, watermark, received, accepted, duplicate, rejected
) AS records;

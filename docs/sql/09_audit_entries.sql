-- Every entry balances. `difference`, the sum of its postings of an asset, must
-- be 0 in every row.
CREATE VIEW audit_entries AS
SELECT _offset, entry, asset, count(*) AS postings, sum(amount) AS difference
FROM journal
GROUP BY _offset, entry, asset;

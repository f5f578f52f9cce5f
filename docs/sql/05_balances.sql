-- One row per account and asset. Per asset all balances add up to zero.
CREATE VIEW balances AS
SELECT account, asset, sum(amount) AS balance, count(*) AS postings
FROM journal
GROUP BY account, asset;

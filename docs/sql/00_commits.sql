-- The ledger versions that the other views look at. For the books as they were
-- at ledger version N, end it with WHERE version <= N.
CREATE VIEW commits AS
SELECT * FROM raw_commits;

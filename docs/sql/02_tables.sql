-- The visible rows of every table: those below the watermark of their partition
-- or, in settlement's tables, below the control offset. The others belong to a
-- commit that is not complete.
CREATE VIEW api_calls AS
SELECT raw_api_calls.* FROM raw_api_calls
JOIN shards ON raw_api_calls._partition = shards._partition
WHERE _offset < watermark;

CREATE VIEW gpu_usage AS
SELECT raw_gpu_usage.* FROM raw_gpu_usage
JOIN shards ON raw_gpu_usage._partition = shards._partition
WHERE _offset < watermark;

CREATE VIEW heartbeats AS
SELECT raw_heartbeats.* FROM raw_heartbeats
JOIN shards ON raw_heartbeats._partition = shards._partition
WHERE _offset < watermark;

CREATE VIEW rejects AS
SELECT raw_rejects.* FROM raw_rejects
JOIN shards ON raw_rejects._partition = shards._partition
WHERE _offset < watermark;

CREATE VIEW duplicates AS
SELECT raw_duplicates.* FROM raw_duplicates
JOIN shards ON raw_duplicates._partition = shards._partition
WHERE _offset < watermark;

CREATE VIEW control AS
SELECT * FROM raw_control
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW charges AS
SELECT * FROM raw_charges
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW journal AS
SELECT * FROM raw_journal
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW prices AS
SELECT * FROM raw_prices
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW charge_models AS
SELECT * FROM raw_charge_models
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW price_customers AS
SELECT * FROM raw_price_customers
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW owner_shares AS
SELECT * FROM raw_owner_shares
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW periods AS
SELECT * FROM raw_periods
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW terms AS
SELECT * FROM raw_terms
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW currencies AS
SELECT * FROM raw_currencies
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW invoices AS
SELECT * FROM raw_invoices
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW payments AS
SELECT * FROM raw_payments
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW grants AS
SELECT * FROM raw_grants
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW allocations AS
SELECT * FROM raw_allocations
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW commitments AS
SELECT * FROM raw_commitments
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW true_ups AS
SELECT * FROM raw_true_ups
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW budgets AS
SELECT * FROM raw_budgets
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW alerts AS
SELECT * FROM raw_alerts
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW corrections AS
SELECT * FROM raw_corrections
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW statements AS
SELECT * FROM raw_statements
WHERE _offset < (SELECT max(control_offset) FROM commits);

CREATE VIEW disputes AS
SELECT * FROM raw_disputes
WHERE _offset < (SELECT max(control_offset) FROM commits);

-- Of the usage that is visible what is settled too.
CREATE VIEW settled_api_calls AS
SELECT api_calls.* FROM api_calls
JOIN shards ON api_calls._partition = shards._partition
WHERE _offset < settled;

CREATE VIEW settled_gpu_usage AS
SELECT gpu_usage.* FROM gpu_usage
JOIN shards ON gpu_usage._partition = shards._partition
WHERE _offset < settled;

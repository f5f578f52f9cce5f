-- One row per grant: what of it paid invoices, and what is left. A grant is gone
-- once its last month was closed, which closes all months before it too.
CREATE VIEW grant_status AS
SELECT
  g._offset, g.name, g.customer, g.currency, g.kind, g.priority, g.from_period, g.until_period, g.reason, g.amount,
  coalesce(a.used, 0) AS used,
  g.amount - coalesce(a.used, 0) AS unused,
  CASE
    WHEN coalesce(a.used, 0) = g.amount THEN 'used'
    WHEN g.until_period <= c.last_closed THEN 'expired'
    ELSE 'open'
  END AS state
FROM grants g
LEFT JOIN (
  SELECT source, sum(amount) AS used FROM allocations WHERE source LIKE 'grant-%' GROUP BY source
) a ON a.source = g.name
CROSS JOIN (SELECT max(period) AS last_closed FROM periods WHERE state = 'closed') c;

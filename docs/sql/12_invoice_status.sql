-- One row per invoice and credit note: what of it payments, grants and credit
-- notes settled, and what is still to be paid.
CREATE VIEW invoice_status AS
SELECT
  i._offset, i.line, i.number, i.kind, i.customer, i.period, i.currency, i.net, i.tax, i.total,
  coalesce(a.paid, 0) AS paid,
  coalesce(a.credited, 0) AS credited,
  CASE WHEN i.kind = 'invoice' THEN i.total - coalesce(a.paid, 0) - coalesce(a.credited, 0) ELSE 0 END AS open,
  CASE
    WHEN i.kind <> 'invoice' THEN 'issued'
    WHEN a.credited = i.total THEN 'void'
    WHEN coalesce(a.paid, 0) + coalesce(a.credited, 0) = i.total THEN 'paid'
    ELSE 'finalized'
  END AS status,
  i.issued_at, i.due_at
FROM invoices i
LEFT JOIN (
  SELECT
    invoice,
    sum(CASE WHEN source LIKE 'payment-%' OR source LIKE 'grant-%' THEN amount END) AS paid,
    sum(CASE WHEN source NOT LIKE 'payment-%' AND source NOT LIKE 'grant-%' THEN amount END) AS credited
  FROM allocations
  GROUP BY invoice
) a ON a.invoice = i.number;

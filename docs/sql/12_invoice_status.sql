-- One row per invoice and credit note: what of it payments, grants and credit
-- notes settled, what was given up, what is disputed, and what is still to be
-- paid.
CREATE VIEW invoice_status AS
SELECT
  i._offset, i.line, i.number, i.kind, i.customer, i.period, i.currency, i.net, i.tax, i.total,
  coalesce(a.paid, 0) AS paid,
  coalesce(a.credited, 0) AS credited,
  coalesce(a.written_off, 0) AS written_off,
  coalesce(a.disputed, 0) AS disputed,
  CASE WHEN i.kind = 'invoice' THEN i.total - coalesce(a.settled, 0) ELSE 0 END AS open,
  CASE
    WHEN i.kind <> 'invoice' THEN 'issued'
    WHEN a.credited = i.total THEN 'void'
    WHEN coalesce(a.settled, 0) < i.total THEN 'finalized'
    WHEN a.disputed > 0 THEN 'disputed'
    WHEN a.written_off > 0 THEN 'written off'
    ELSE 'paid'
  END AS status,
  i.issued_at, i.due_at
FROM invoices i
LEFT JOIN (
  SELECT
    invoice,
    sum(amount) AS settled,
    sum(CASE WHEN source LIKE 'payment-%' OR source LIKE 'grant-%' THEN amount END) AS paid,
    sum(CASE WHEN source LIKE 'write-off-%' THEN amount END) AS written_off,
    sum(CASE WHEN source LIKE 'dispute-%' THEN amount END) AS disputed,
    sum(CASE
      WHEN source NOT LIKE 'payment-%' AND source NOT LIKE 'grant-%' AND source NOT LIKE 'write-off-%'
        AND source NOT LIKE 'dispute-%' THEN amount
    END) AS credited
  FROM allocations
  GROUP BY invoice
) a ON a.invoice = i.number;

-- One row per dispute: the line that somebody does not agree to, and what became
-- of it. What was accepted of an invoice was taken back by a credit note.
CREATE VIEW dispute_status AS
SELECT
  d._offset, d.name, d.side, d.party, d.document, d.period, d.currency, d.meter, d.model, d.gpu, d.region, d.price,
  d.reason, d.amount,
  coalesce(a.amount, 0) AS set_aside,
  CASE
    WHEN r.amount IS NULL THEN 'open'
    WHEN r.amount = 0 THEN 'rejected'
    WHEN r.amount < d.amount THEN 'partly accepted'
    ELSE 'accepted'
  END AS state,
  r.amount AS accepted, r.reason AS answer, n.number AS credit_note
FROM disputes d
LEFT JOIN disputes r ON r.name = d.name AND r.step = 'resolved'
LEFT JOIN invoices n ON n._offset = r._offset
LEFT JOIN (
  SELECT source, sum(amount) AS amount FROM allocations WHERE source LIKE 'dispute-%' GROUP BY source
) a ON a.source = d.name
WHERE d.step = 'opened';

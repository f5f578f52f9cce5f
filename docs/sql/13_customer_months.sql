-- One row per customer, currency and billing period that has charges, or in
-- which a commitment lacked something: the document that it was billed with, and the legal entity whose it is. Before a
-- month is closed it has no document, and the entity is that of the terms which
-- hold now; afterwards it is that of the terms which held when it was closed
-- (INV where there were none). The first month that is closed closes all before
-- it. A closed month whose amount rounds to nothing has no document.
CREATE VIEW customer_months AS
WITH billed AS (
    SELECT customer, currency, period, min(_offset) AS first_offset
    FROM (
        SELECT party AS customer, currency, period, _offset FROM charges
        WHERE side = 'customer' AND state = 'charged'
        UNION ALL
        SELECT customer, currency, period, _offset FROM true_ups
    ) AS parts
    GROUP BY customer, currency, period
),
months AS (
    SELECT billed_months.period, min(periods._offset) AS closed_by, min(periods.changed_at) AS closed_at
    FROM (SELECT DISTINCT period FROM billed) AS billed_months
    LEFT JOIN periods ON periods.state = 'closed' AND periods.period >= billed_months.period
    GROUP BY billed_months.period
),
own AS (
    SELECT billed.customer, billed.period, max(terms._offset) AS held
    FROM billed
    JOIN months ON months.period = billed.period
    JOIN terms ON terms.customer = billed.customer
    WHERE months.closed_by IS NULL OR terms._offset < months.closed_by
    GROUP BY billed.customer, billed.period
),
everyones AS (
    SELECT months.period, max(terms._offset) AS held
    FROM months
    JOIN terms ON months.closed_by IS NULL OR terms._offset < months.closed_by
    WHERE terms.customer IS NULL
    GROUP BY months.period
)
SELECT billed.customer, billed.currency, billed.period, billed.first_offset,
    coalesce(invoices.entity, terms.entity, 'INV') AS entity,
    invoices.number, months.closed_at
FROM billed
JOIN months ON months.period = billed.period
LEFT JOIN own ON own.customer = billed.customer AND own.period = billed.period
LEFT JOIN everyones ON everyones.period = billed.period
LEFT JOIN terms ON terms._offset = coalesce(own.held, everyones.held)
LEFT JOIN invoices ON invoices.customer = billed.customer
    AND invoices.currency = billed.currency AND invoices.period = billed.period;

-- The dataset Billing Period of FOCUS 1.4: one row per month and legal entity with
-- charges or documents in it. A month is Open until the event that closed it;
-- nothing in it changes afterwards. It is created with the first charge or
-- document in it.
CREATE VIEW focus_billing_period AS
WITH begun AS (
    SELECT customer_months.period AS period, customer_months.entity AS entity, min(control._recorded_at) AS created
    FROM customer_months JOIN control ON control._offset = customer_months.first_offset
    GROUP BY customer_months.period, customer_months.entity
    UNION ALL
    SELECT substr(CAST(CAST(effects.effective_at AS DATE) AS VARCHAR), 1, 7) AS period,
        invoices.entity AS entity, min(invoices.issued_at) AS created
    FROM invoices
    JOIN (
        SELECT document, min(effective_at) AS effective_at
        FROM journal WHERE document IS NOT NULL GROUP BY document
    ) AS effects ON effects.document = invoices.number
    WHERE invoices.period IS NULL
    GROUP BY substr(CAST(CAST(effects.effective_at AS DATE) AS VARCHAR), 1, 7), invoices.entity
),
months AS (
    SELECT period, entity, min(created) AS created FROM begun GROUP BY period, entity
),
ended AS (
    SELECT months.period AS period, months.entity AS entity, months.created AS created,
        min(periods.changed_at) AS closed
    FROM months
    LEFT JOIN periods ON periods.state = 'closed' AND periods.period >= months.period
    GROUP BY months.period, months.entity, months.created
)
SELECT
    date_trunc('second', CAST(created AS TIMESTAMP(6))) AS "BillingPeriodCreated",
    CAST(period || '-01T00:00:00' AS TIMESTAMP(6)) + INTERVAL '1' MONTH AS "BillingPeriodEnd",
    date_trunc('second', CAST(coalesce(closed, created) AS TIMESTAMP(6))) AS "BillingPeriodLastUpdated",
    CAST(period || '-01T00:00:00' AS TIMESTAMP(6)) AS "BillingPeriodStart",
    CASE WHEN closed IS NULL THEN 'Open' ELSE 'Closed' END AS "BillingPeriodStatus",
    entity AS "InvoiceIssuerName"
FROM ended;

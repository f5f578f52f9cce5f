-- The dataset Cost and Usage of FOCUS 1.4: one row per customer, billing period,
-- price row, dimensions and hour of usage, one for what a charge model adds to a
-- price row, and per document one for what it rounds, one for its tax, one for
-- what a commitment lacks and, of a credit, one for the credit. Per InvoiceId BilledCost adds up to the document's
-- total. docs/focus.md says what each column is in the books.
--
-- Usage that is billed in a later month than its own, because that one was
-- closed, and prices that were changed backwards are Corrections with the hours
-- in which it was used. A month that is not closed has no InvoiceId, tax or
-- rounding yet. Of a closed month without a document, what its rounding leaves
-- over is an Adjustment without InvoiceId.
CREATE VIEW focus_cost_and_usage AS
WITH effects AS (
    SELECT document, min(effective_at) AS effective_at
    FROM journal WHERE document IS NOT NULL GROUP BY document
),
documents AS (
    SELECT invoices.*,
        coalesce(invoices.period, substr(CAST(CAST(effects.effective_at AS DATE) AS VARCHAR), 1, 7)) AS billed_in,
        coalesce(corrected.period, invoices.period) AS charged_in,
        CAST(effects.effective_at AS DATE) AS given_on
    FROM invoices
    LEFT JOIN effects ON effects.document = invoices.number
    LEFT JOIN invoices AS corrected ON corrected.number = invoices.corrects
),
parts AS (
    SELECT 'Adjustment' AS category, '/rounding' AS part, net - subtotal AS cost,
        'Rounding of ' || number || ' to what can be paid' AS description, documents.*
    FROM documents WHERE period IS NOT NULL AND net <> subtotal
    UNION ALL
    SELECT 'Purchase' AS category, '/commitment' AS part, true_ups.amount AS cost,
        'Commitment of ' || rtrim(rtrim(CAST(true_ups.committed AS VARCHAR), '0'), '.') || ' '
            || true_ups.currency || ' for '
            || CASE WHEN true_ups.first_period < true_ups.period THEN true_ups.first_period || ' to ' ELSE '' END
            || true_ups.period || ', less '
            || rtrim(rtrim(CAST(true_ups.billed AS VARCHAR), '0'), '.') || ' for usage' AS description,
        documents.*
    FROM documents JOIN true_ups ON true_ups.document = documents.number
    UNION ALL
    SELECT 'Tax' AS category, '/tax' AS part, tax AS cost,
        coalesce(tax_name, 'Tax') || ' of ' || number AS description, documents.*
    FROM documents WHERE tax <> 0
    UNION ALL
    SELECT 'Credit' AS category, '/credit' AS part, net AS cost,
        coalesce(reason, 'Credit') AS description, documents.*
    FROM documents WHERE period IS NULL AND net <> 0
),
charge_model_parts AS (
    SELECT substr(account, 10, length(account) - 20) AS customer, asset AS currency, period, meter, price,
        sum(amount) AS cost
    FROM journal
    WHERE price IS NOT NULL AND quantity IS NULL AND account LIKE 'customer/%/receivable'
    GROUP BY account, asset, period, meter, price
    HAVING sum(amount) <> 0
),
leftovers AS (
    SELECT substr(account, 10, length(account) - 20) AS customer, asset AS currency, period, sum(amount) AS cost
    FROM journal
    WHERE document IS NULL AND price IS NULL AND period IS NOT NULL
        AND account LIKE 'customer/%/receivable'
    GROUP BY account, asset, period
),
facts AS (
    SELECT usage_costs.customer AS customer, usage_costs.currency AS currency, usage_costs.period AS period,
        months.entity AS entity, months.number AS number,
        months.number || '/' || CAST(line AS VARCHAR) AS detail,
        'Usage' AS category,
        CAST(hour AS TIMESTAMP(6)) AS charged_from, CAST(hour AS TIMESTAMP(6)) + INTERVAL '1' HOUR AS charged_to, cost,
        meter, model, gpu, region, price, quantity, units, unit_price,
        rtrim(rtrim(CAST(per AS VARCHAR), '0'), '.') AS per,
        meter || coalesce(' of ' || model, '') || coalesce(' of ' || gpu, '') || coalesce(' in ' || region, '')
            || ' at ' || rtrim(rtrim(CAST(unit_price AS VARCHAR), '0'), '.') || ' ' || usage_costs.currency
            || ' for ' || rtrim(rtrim(CAST(per AS VARCHAR), '0'), '.') AS description
    FROM usage_costs
    JOIN customer_months AS months ON months.customer = usage_costs.customer
        AND months.currency = usage_costs.currency AND months.period = usage_costs.period
    UNION ALL
    SELECT customer, currency, billed_in AS period, entity, number, number || part AS detail, category,
        CASE WHEN charged_in IS NOT NULL THEN CAST(charged_in || '-01T00:00:00' AS TIMESTAMP(6))
            ELSE CAST(CAST(given_on AS VARCHAR) || 'T00:00:00' AS TIMESTAMP(6)) END AS charged_from,
        CASE WHEN charged_in IS NOT NULL
            THEN CAST(charged_in || '-01T00:00:00' AS TIMESTAMP(6)) + INTERVAL '1' MONTH
            ELSE CAST(CAST(given_on AS VARCHAR) || 'T00:00:00' AS TIMESTAMP(6)) + INTERVAL '1' DAY
        END AS charged_to,
        cost,
        CAST(NULL AS VARCHAR) AS meter, CAST(NULL AS VARCHAR) AS model, CAST(NULL AS VARCHAR) AS gpu,
        CAST(NULL AS VARCHAR) AS region, CAST(NULL AS VARCHAR) AS price,
        CAST(NULL AS DECIMAL(38, 9)) AS quantity, CAST(NULL AS DECIMAL(38, 15)) AS units,
        CAST(NULL AS DECIMAL(38, 12)) AS unit_price, CAST(NULL AS VARCHAR) AS per, description
    FROM parts
    UNION ALL
    SELECT parts.customer AS customer, parts.currency AS currency, parts.period AS period,
        months.entity AS entity, months.number AS number, months.number || '/model/' || parts.price AS detail,
        'Adjustment' AS category,
        CAST(parts.period || '-01T00:00:00' AS TIMESTAMP(6)) AS charged_from,
        CAST(parts.period || '-01T00:00:00' AS TIMESTAMP(6)) + INTERVAL '1' MONTH AS charged_to,
        parts.cost AS cost,
        CAST(NULL AS VARCHAR) AS meter, CAST(NULL AS VARCHAR) AS model, CAST(NULL AS VARCHAR) AS gpu,
        CAST(NULL AS VARCHAR) AS region, parts.price AS price,
        CAST(NULL AS DECIMAL(38, 9)) AS quantity, CAST(NULL AS DECIMAL(38, 15)) AS units,
        CAST(NULL AS DECIMAL(38, 12)) AS unit_price, CAST(NULL AS VARCHAR) AS per,
        'Charge model of ' || parts.meter || ' at price ' || parts.price AS description
    FROM charge_model_parts AS parts
    JOIN customer_months AS months ON months.customer = parts.customer
        AND months.currency = parts.currency AND months.period = parts.period
    UNION ALL
    SELECT leftovers.customer AS customer, leftovers.currency AS currency, leftovers.period AS period,
        months.entity AS entity, CAST(NULL AS VARCHAR) AS number, CAST(NULL AS VARCHAR) AS detail,
        'Adjustment' AS category,
        CAST(leftovers.period || '-01T00:00:00' AS TIMESTAMP(6)) AS charged_from,
        CAST(leftovers.period || '-01T00:00:00' AS TIMESTAMP(6)) + INTERVAL '1' MONTH AS charged_to,
        leftovers.cost AS cost,
        CAST(NULL AS VARCHAR) AS meter, CAST(NULL AS VARCHAR) AS model, CAST(NULL AS VARCHAR) AS gpu,
        CAST(NULL AS VARCHAR) AS region, CAST(NULL AS VARCHAR) AS price,
        CAST(NULL AS DECIMAL(38, 9)) AS quantity, CAST(NULL AS DECIMAL(38, 15)) AS units,
        CAST(NULL AS DECIMAL(38, 12)) AS unit_price, CAST(NULL AS VARCHAR) AS per,
        'Rounding of ' || leftovers.period || ' to nothing' AS description
    FROM leftovers
    JOIN customer_months AS months ON months.customer = leftovers.customer
        AND months.currency = leftovers.currency AND months.period = leftovers.period
),
dated AS (
    SELECT facts.*, CAST(period || '-01T00:00:00' AS TIMESTAMP(6)) AS billed_from,
        CASE
            WHEN meter LIKE 'tokens.%' THEN 'Tokens'
            WHEN meter = 'requests' THEN 'Requests'
            WHEN meter = 'gpu.seconds' THEN 'GPU-Seconds'
            WHEN meter = 'energy.joules' THEN 'Joules'
        END AS unit,
        meter || coalesce('/' || model, '') || coalesce('/' || gpu, '') AS sku
    FROM facts
)
SELECT
    cost AS "BilledCost",
    customer AS "BillingAccountId",
    CAST(NULL AS VARCHAR) AS "BillingAccountName",
    currency AS "BillingCurrency",
    billed_from + INTERVAL '1' MONTH AS "BillingPeriodEnd",
    billed_from AS "BillingPeriodStart",
    category AS "ChargeCategory",
    CASE WHEN charged_from < billed_from THEN 'Correction' END AS "ChargeClass",
    description AS "ChargeDescription",
    CASE WHEN category = 'Usage' THEN 'Usage-Based' ELSE 'One-Time' END AS "ChargeFrequency",
    charged_to AS "ChargePeriodEnd",
    charged_from AS "ChargePeriodStart",
    quantity AS "ConsumedQuantity",
    unit AS "ConsumedUnit",
    cost AS "ContractedCost",
    unit_price AS "ContractedUnitPrice",
    cost AS "EffectiveCost",
    entity AS "HostProviderName",
    detail AS "InvoiceDetailId",
    number AS "InvoiceId",
    entity AS "InvoiceIssuerName",
    cost AS "ListCost",
    unit_price AS "ListUnitPrice",
    units AS "PricingQuantity",
    CASE WHEN per = '1' THEN unit ELSE per || ' ' || unit END AS "PricingUnit",
    region AS "RegionId",
    region AS "RegionName",
    CASE WHEN meter IS NULL THEN 'Other' WHEN gpu IS NULL THEN 'AI and Machine Learning' ELSE 'Compute' END
        AS "ServiceCategory",
    CASE WHEN meter IS NULL THEN 'Billing' WHEN gpu IS NULL THEN 'Model API' ELSE 'GPU Compute' END AS "ServiceName",
    entity AS "ServiceProviderName",
    CASE WHEN meter IS NULL THEN 'Other (Other)' WHEN gpu IS NULL THEN 'Generative AI' ELSE 'Other (Compute)' END
        AS "ServiceSubcategory",
    sku AS "SkuId",
    CASE meter
        WHEN 'tokens.input' THEN 'Input Tokens'
        WHEN 'tokens.output' THEN 'Output Tokens'
        WHEN 'tokens.cached_input' THEN 'Cached Input Tokens'
        WHEN 'requests' THEN 'API Requests'
        WHEN 'gpu.seconds' THEN 'GPU Time'
        WHEN 'energy.joules' THEN 'Energy'
    END AS "SkuMeter",
    sku || '@' || replace(replace(coalesce(region, ''), '%', '%25'), '@', '%40') AS "SkuPriceId",
    gpu AS "x_Gpu",
    meter AS "x_Meter",
    model AS "x_Model",
    price AS "x_PriceId"
FROM dated;

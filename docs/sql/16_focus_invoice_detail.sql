-- The dataset Invoice Detail of FOCUS 1.4: one row per line of each invoice and
-- credit note that was issued: a price row with its dimensions, what the document
-- rounds, its tax, or a credit. A line is the sum of its rows in
-- focus_cost_and_usage, and the lines of a document add up to its total. Months
-- that are not closed have no document and no rows. A document is Voided once
-- credit notes took all of it back.
CREATE VIEW focus_invoice_detail AS
WITH lines AS (
    SELECT "InvoiceId" AS number, "InvoiceDetailId" AS detail, "ChargeCategory" AS category,
        "BillingPeriodStart" AS billed_from, "BillingPeriodEnd" AS billed_to, "ChargeDescription" AS description,
        "ServiceName" AS service, "SkuId" AS sku, "SkuMeter" AS sku_meter, "SkuPriceId" AS sku_price,
        "RegionId" AS region, "x_Model" AS model, "x_Gpu" AS gpu, "x_PriceId" AS price,
        "PricingUnit" AS pricing_unit, "ListUnitPrice" AS unit_price, "ConsumedUnit" AS unit,
        sum("BilledCost") AS cost, sum("ConsumedQuantity") AS quantity
    FROM focus_cost_and_usage
    WHERE "InvoiceId" IS NOT NULL
    GROUP BY "InvoiceId", "InvoiceDetailId", "ChargeCategory", "BillingPeriodStart", "BillingPeriodEnd",
        "ChargeDescription", "ServiceName", "SkuId", "SkuMeter", "SkuPriceId", "RegionId", "x_Model", "x_Gpu",
        "x_PriceId", "PricingUnit", "ListUnitPrice", "ConsumedUnit"
),
taken_back AS (
    SELECT corrects AS number, sum(total) AS total, max(issued_at) AS last_at
    FROM invoices WHERE corrects IS NOT NULL GROUP BY corrects
),
documents AS (
    SELECT invoices.*, coalesce(invoices.total + taken_back.total, invoices.total) AS left_of_it,
        taken_back.last_at AS last_at
    FROM invoices LEFT JOIN taken_back ON taken_back.number = invoices.number
)
SELECT
    cost AS "BilledCost",
    documents.customer AS "BillingAccountId",
    documents.currency AS "BillingCurrency",
    billed_to AS "BillingPeriodEnd",
    billed_from AS "BillingPeriodStart",
    category AS "ChargeCategory",
    date_trunc('second', CAST(documents.issued_at AS TIMESTAMP(6))) AS "InvoiceDetailCreated",
    description AS "InvoiceDetailDescription",
    CASE WHEN sku IS NULL THEN '{"ServiceName":"' || service || '","x_Part":"' || category || '"}'
        ELSE '{"ServiceName":"' || service || '","SkuId":"' || replace(replace(sku, '\', '\\'), '"', '\"')
            || '","SkuMeter":"' || sku_meter
            || '","SkuPriceId":"' || replace(replace(sku_price, '\', '\\'), '"', '\"')
            || coalesce('","RegionId":"' || replace(replace(region, '\', '\\'), '"', '\"'), '')
            || '","x_PriceId":"' || price || '"}'
    END AS "InvoiceDetailGrain",
    detail AS "InvoiceDetailId",
    date_trunc('second', CAST(CASE WHEN left_of_it = 0 THEN documents.last_at ELSE documents.issued_at END
        AS TIMESTAMP(6))) AS "InvoiceDetailLastUpdated",
    documents.number AS "InvoiceId",
    date_trunc('second', CAST(documents.issued_at AS TIMESTAMP(6))) AS "InvoiceIssueDate",
    CASE WHEN left_of_it = 0 THEN 'Voided' ELSE 'Issued' END AS "InvoiceIssueStatus",
    documents.entity AS "InvoiceIssuerName",
    date_trunc('second', CAST(documents.due_at AS TIMESTAMP(6))) AS "PaymentDueDate",
    CASE WHEN documents.due_at IS NULL THEN 'Credit note'
        ELSE 'Net ' || CAST(CAST(round((extract(EPOCH FROM documents.due_at) - extract(EPOCH FROM documents.issued_at))
            / 86400) AS BIGINT) AS VARCHAR)
    END AS "PaymentTerms",
    coalesce(documents.corrects, documents.number) AS "ReferenceInvoiceId",
    quantity AS "x_ConsumedQuantity",
    unit AS "x_ConsumedUnit",
    gpu AS "x_Gpu",
    unit_price AS "x_ListUnitPrice",
    model AS "x_Model",
    pricing_unit AS "x_PricingUnit"
FROM lines JOIN documents ON documents.number = lines.number;

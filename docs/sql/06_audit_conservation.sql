-- No quantity is lost: what the usage tables hold, with what corrections made of
-- it, is charged, waits for a price (unrated), was given up (waived), is not
-- billed or is not settled yet.
-- `difference` must be 0 in every row.
CREATE VIEW audit_conservation AS
SELECT meter, model, gpu, region, used, used - settled AS not_settled, corrected,
    charged, unrated, waived, not_billed,
    settled + corrected - charged - unrated - waived - not_billed AS difference
FROM (
    SELECT meter, model, gpu, region,
        sum(CASE WHEN part = 'used' THEN quantity ELSE 0 END) AS used,
        sum(CASE WHEN part = 'settled' THEN quantity ELSE 0 END) AS settled,
        sum(CASE WHEN part = 'corrected' THEN quantity ELSE 0 END) AS corrected,
        sum(CASE WHEN part = 'charged' THEN quantity ELSE 0 END) AS charged,
        sum(CASE WHEN part = 'unrated' THEN quantity ELSE 0 END) AS unrated,
        sum(CASE WHEN part = 'waived' THEN quantity ELSE 0 END) AS waived,
        sum(CASE WHEN part = 'not_billed' THEN quantity ELSE 0 END) AS not_billed
    FROM (
        SELECT 'used' AS part, meter, model, gpu, region, sum(quantity) AS quantity
        FROM usage GROUP BY meter, model, gpu, region
        UNION ALL
        SELECT 'settled' AS part, meter, model, gpu, region, sum(quantity) AS quantity
        FROM settled_usage GROUP BY meter, model, gpu, region
        UNION ALL
        SELECT 'corrected' AS part, meter, model, gpu, region, sum(quantity) AS quantity
        FROM corrections GROUP BY meter, model, gpu, region
        UNION ALL
        SELECT state AS part, meter, model, gpu, region, sum(quantity) AS quantity
        FROM charges WHERE side = 'customer' GROUP BY state, meter, model, gpu, region
    ) AS parts
    GROUP BY meter, model, gpu, region
) AS sums;

-- What customers used is what providers served, in every price row and in what
-- has none. `difference` must be 0 in every row.
CREATE VIEW audit_sides AS
SELECT period, currency, meter, model, gpu, region, state, price,
    customers, providers, customers - providers AS difference
FROM (
    SELECT period, currency, meter, model, gpu, region, state, price,
        sum(CASE WHEN side = 'customer' THEN quantity ELSE 0 END) AS customers,
        sum(CASE WHEN side = 'provider' THEN quantity ELSE 0 END) AS providers
    FROM charges
    GROUP BY period, currency, meter, model, gpu, region, state, price
) AS sides;

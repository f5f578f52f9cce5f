-- What waits for a price: no month with it can be closed. Apply a price book
-- that covers it, or waive it.
CREATE VIEW audit_unrated AS
SELECT period, currency, meter, model, gpu, region,
    min(hour) AS first_hour, max(hour) AS last_hour,
    count(DISTINCT hour) AS hours, count(DISTINCT party) AS customers,
    sum(quantity) AS quantity
FROM (
    SELECT period, currency, meter, model, gpu, region, party, hour, sum(quantity) AS quantity
    FROM charges
    WHERE side = 'customer' AND state = 'unrated'
    GROUP BY period, currency, meter, model, gpu, region, party, hour
    HAVING sum(quantity) <> 0
) AS waiting
GROUP BY period, currency, meter, model, gpu, region;

-- What each hour's usage costs, exactly: one row per customer, billing period,
-- price row, dimensions and hour. The journal rounds a month's quantity at a
-- price once, to 10^-12, and does not know hours. Here an hour costs what the
-- quantity up to its end costs, rounded like that, less the same up to its
-- start, in the order of the hours. So hours add up to what the journal has,
-- for each customer, month, price row and dimensions, and an hour is off by less
-- than 10^-12.
--
-- SQL has no exact division, and engines divide decimals differently. Therefore
-- each quotient is estimated twice with floating-point numbers, which cannot be
-- wrong by more than one in the last place, and then put right by comparing the
-- remainder with half of that place, half away from zero.
CREATE VIEW usage_costs AS
WITH hours AS (
    SELECT party AS customer, currency, period, meter, model, gpu, region, price, hour,
        sum(quantity) AS quantity
    FROM charges
    WHERE side = 'customer' AND state = 'charged'
    GROUP BY party, currency, period, meter, model, gpu, region, price, hour
    HAVING sum(quantity) <> 0
),
counted AS (
    SELECT hours.*, prices.per AS per, prices.amount AS unit_price,
        sum(hours.quantity) OVER (
            PARTITION BY hours.customer, hours.currency, hours.period,
                hours.meter, hours.model, hours.gpu, hours.region, hours.price
            ORDER BY hours.hour
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS so_far
    FROM hours JOIN prices ON hours.price = prices.price
),
first_guess AS (
    SELECT counted.*, so_far * unit_price AS product,
        CAST(CAST(so_far AS DOUBLE) * CAST(unit_price AS DOUBLE) / CAST(per AS DOUBLE) AS DECIMAL(38, 12)) AS cost_1,
        CAST(CAST(quantity AS DOUBLE) / CAST(per AS DOUBLE) AS DECIMAL(38, 15)) AS units_1
    FROM counted
),
second_guess AS (
    SELECT first_guess.*,
        cost_1 + CAST(CAST(product - cost_1 * per AS DOUBLE) / CAST(per AS DOUBLE) AS DECIMAL(38, 12)) AS cost_2,
        units_1 + CAST(CAST(quantity - units_1 * per AS DOUBLE) / CAST(per AS DOUBLE) AS DECIMAL(38, 15)) AS units_2
    FROM first_guess
),
remainders AS (
    SELECT second_guess.*,
        product - cost_2 * per + (product - cost_2 * per) AS cost_rest,
        per * CAST('0.000000000001' AS DECIMAL(13, 12)) AS cost_place,
        quantity - units_2 * per + (quantity - units_2 * per) AS units_rest,
        per * CAST('0.000000000000001' AS DECIMAL(16, 15)) AS units_place
    FROM second_guess
),
exact AS (
    SELECT remainders.*,
        cost_2 + CASE
            WHEN cost_rest > cost_place OR (cost_rest = cost_place AND product > 0)
                THEN CAST('0.000000000001' AS DECIMAL(13, 12))
            WHEN cost_rest < -cost_place OR (cost_rest = -cost_place AND product < 0)
                THEN CAST('-0.000000000001' AS DECIMAL(13, 12))
            ELSE CAST('0' AS DECIMAL(13, 12))
        END AS cost_so_far,
        units_2 + CASE
            WHEN units_rest > units_place OR (units_rest = units_place AND quantity > 0)
                THEN CAST('0.000000000000001' AS DECIMAL(16, 15))
            WHEN units_rest < -units_place OR (units_rest = -units_place AND quantity < 0)
                THEN CAST('-0.000000000000001' AS DECIMAL(16, 15))
            ELSE CAST('0' AS DECIMAL(16, 15))
        END AS units
    FROM remainders
)
SELECT customer, currency, period,
    dense_rank() OVER (
        PARTITION BY customer, currency, period
        ORDER BY meter, model NULLS LAST, gpu NULLS LAST, region NULLS LAST, price
    ) AS line,
    meter, model, gpu, region, price, per, unit_price, hour, quantity, units,
    cost_so_far - coalesce(
        lag(cost_so_far) OVER (
            PARTITION BY customer, currency, period, meter, model, gpu, region, price ORDER BY hour
        ),
        CAST('0' AS DECIMAL(38, 12))
    ) AS cost
FROM exact;

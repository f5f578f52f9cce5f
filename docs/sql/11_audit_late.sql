-- What is billed in a later month than it was used in, because its own was
-- closed: usage that came late, and prices that were changed backwards (the old
-- price is taken back with a negative quantity). `amount` is quantity times
-- price, rounded to a millionth for reading; what is owed to the last digit is
-- in the journal, which does not know hours.
CREATE VIEW audit_late AS
SELECT hour, period, customer, late.currency AS currency,
    late.meter AS meter, late.model AS model, late.gpu AS gpu, late.region AS region,
    state, late.price AS price, quantity,
    CAST(quantity / per * amount AS DECIMAL(38, 6)) AS amount
FROM (
    SELECT hour, period, party AS customer, currency, meter, model, gpu, region, state, price,
        sum(quantity) AS quantity
    FROM charges
    WHERE side = 'customer'
        AND extract(YEAR FROM hour) * 12 + extract(MONTH FROM hour)
            < CAST(substr(period, 1, 4) AS INTEGER) * 12 + CAST(substr(period, 6, 2) AS INTEGER)
    GROUP BY hour, period, party, currency, meter, model, gpu, region, state, price
    HAVING sum(quantity) <> 0
) AS late
LEFT JOIN prices ON late.price = prices.price;

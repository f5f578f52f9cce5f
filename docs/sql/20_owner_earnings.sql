-- One row per model owner or asset pool, month, price row and dimensions: what it
-- earned, and the quantity of which it is a part. The sum over a month is what
-- it is owed for it, exactly.
CREATE VIEW owner_earnings AS
SELECT
  replace(account, '/payable', '') AS owner,
  period, asset AS currency, meter, model, gpu, region, price,
  sum(quantity) AS quantity, -sum(amount) AS amount
FROM journal
WHERE account LIKE 'model_owner/%' OR account LIKE 'asset_pool/%'
GROUP BY account, period, asset, meter, model, gpu, region, price;

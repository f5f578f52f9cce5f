-- The rows of usage that are settled: what charges and the journal are made from.
CREATE VIEW settled_usage AS
SELECT _partition, _offset, _recorded_at, source,
    coalesce(id, CAST(incarnation AS VARCHAR) || '-' || CAST(sequence AS VARCHAR)) AS id,
    time, customer, provider, 'tokens.input' AS meter, model, CAST(NULL AS VARCHAR) AS gpu, region,
    CAST(input_tokens AS DECIMAL(38, 9)) AS quantity
FROM settled_api_calls WHERE input_tokens <> 0
UNION ALL
SELECT _partition, _offset, _recorded_at, source,
    coalesce(id, CAST(incarnation AS VARCHAR) || '-' || CAST(sequence AS VARCHAR)) AS id,
    time, customer, provider, 'tokens.output' AS meter, model, CAST(NULL AS VARCHAR) AS gpu, region,
    CAST(output_tokens AS DECIMAL(38, 9)) AS quantity
FROM settled_api_calls WHERE output_tokens <> 0
UNION ALL
SELECT _partition, _offset, _recorded_at, source,
    coalesce(id, CAST(incarnation AS VARCHAR) || '-' || CAST(sequence AS VARCHAR)) AS id,
    time, customer, provider, 'tokens.cached_input' AS meter, model, CAST(NULL AS VARCHAR) AS gpu, region,
    CAST(cached_input_tokens AS DECIMAL(38, 9)) AS quantity
FROM settled_api_calls WHERE cached_input_tokens <> 0
UNION ALL
SELECT _partition, _offset, _recorded_at, source,
    coalesce(id, CAST(incarnation AS VARCHAR) || '-' || CAST(sequence AS VARCHAR)) AS id,
    time, customer, provider, 'requests' AS meter, model, CAST(NULL AS VARCHAR) AS gpu, region,
    CAST(1 AS DECIMAL(38, 9)) AS quantity
FROM settled_api_calls WHERE 1 <> 0
UNION ALL
SELECT _partition, _offset, _recorded_at, source,
    coalesce(id, CAST(incarnation AS VARCHAR) || '-' || CAST(sequence AS VARCHAR)) AS id,
    time, customer, node AS provider, 'gpu.seconds' AS meter, CAST(NULL AS VARCHAR) AS model, gpu, region,
    CAST(gpu_seconds AS DECIMAL(38, 9)) AS quantity
FROM settled_gpu_usage WHERE gpu_seconds <> 0
UNION ALL
SELECT _partition, _offset, _recorded_at, source,
    coalesce(id, CAST(incarnation AS VARCHAR) || '-' || CAST(sequence AS VARCHAR)) AS id,
    time, customer, node AS provider, 'energy.joules' AS meter, CAST(NULL AS VARCHAR) AS model, gpu, region,
    CAST(energy_joules AS DECIMAL(38, 9)) AS quantity
FROM settled_gpu_usage WHERE energy_joules <> 0;

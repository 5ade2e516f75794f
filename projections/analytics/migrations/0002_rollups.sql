-- Calls by minute. End users are only counted: as a key they would make the rollup as long as the rows.
CREATE TABLE IF NOT EXISTS rollup_minute
(
    workspace_id    LowCardinality(String),
    organization_id SimpleAggregateFunction(any, LowCardinality(String)),
    bucket          DateTime('UTC') CODEC(Delta, ZSTD),
    model           LowCardinality(String),
    provider        LowCardinality(String),
    app_id          LowCardinality(String),
    agent_id        LowCardinality(String),
    api_key_id      LowCardinality(String),
    type            LowCardinality(String),
    calls           SimpleAggregateFunction(sum, UInt64),
    errors          SimpleAggregateFunction(sum, UInt64),
    input_tokens    SimpleAggregateFunction(sum, UInt64),
    output_tokens   SimpleAggregateFunction(sum, UInt64),
    cost_micro_usd  SimpleAggregateFunction(sum, Int64),
    latency_us      SimpleAggregateFunction(sum, UInt64),
    users           AggregateFunction(uniq, String),
    latency         AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), UInt64),
    ttft            AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), UInt64),
    last_position   SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(bucket)
PRIMARY KEY (workspace_id, bucket)
ORDER BY (workspace_id, bucket, model, provider, app_id, agent_id, api_key_id, type)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

-- The same by hour.
CREATE TABLE IF NOT EXISTS rollup_hour
(
    workspace_id    LowCardinality(String),
    organization_id SimpleAggregateFunction(any, LowCardinality(String)),
    bucket          DateTime('UTC') CODEC(Delta, ZSTD),
    model           LowCardinality(String),
    provider        LowCardinality(String),
    app_id          LowCardinality(String),
    agent_id        LowCardinality(String),
    api_key_id      LowCardinality(String),
    type            LowCardinality(String),
    calls           SimpleAggregateFunction(sum, UInt64),
    errors          SimpleAggregateFunction(sum, UInt64),
    input_tokens    SimpleAggregateFunction(sum, UInt64),
    output_tokens   SimpleAggregateFunction(sum, UInt64),
    cost_micro_usd  SimpleAggregateFunction(sum, Int64),
    latency_us      SimpleAggregateFunction(sum, UInt64),
    users           AggregateFunction(uniq, String),
    latency         AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), UInt64),
    ttft            AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), UInt64),
    last_position   SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(bucket)
PRIMARY KEY (workspace_id, bucket)
ORDER BY (workspace_id, bucket, model, provider, app_id, agent_id, api_key_id, type)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

-- Calls by day and end user: what each of them used and cost.
CREATE TABLE IF NOT EXISTS rollup_user_day
(
    workspace_id    LowCardinality(String),
    organization_id SimpleAggregateFunction(any, LowCardinality(String)),
    bucket          DateTime('UTC') CODEC(Delta, ZSTD),
    end_user        String,
    model           LowCardinality(String),
    provider        LowCardinality(String),
    app_id          LowCardinality(String),
    agent_id        LowCardinality(String),
    calls           SimpleAggregateFunction(sum, UInt64),
    errors          SimpleAggregateFunction(sum, UInt64),
    input_tokens    SimpleAggregateFunction(sum, UInt64),
    output_tokens   SimpleAggregateFunction(sum, UInt64),
    cost_micro_usd  SimpleAggregateFunction(sum, Int64),
    latency_us      SimpleAggregateFunction(sum, UInt64),
    last_position   SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(bucket)
PRIMARY KEY (workspace_id, bucket)
ORDER BY (workspace_id, bucket, end_user, model, provider, app_id, agent_id)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

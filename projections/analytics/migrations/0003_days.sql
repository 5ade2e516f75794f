-- Calls by day: what a month's report reads. By the hour it would be 24 times as much.
CREATE TABLE IF NOT EXISTS rollup_day
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

-- Calls by day and end user, without more keys: with a model and an app in it,
-- such a table is nearly as long as the rows.
CREATE TABLE IF NOT EXISTS rollup_user
(
    workspace_id    LowCardinality(String),
    organization_id SimpleAggregateFunction(any, LowCardinality(String)),
    bucket          DateTime('UTC') CODEC(Delta, ZSTD),
    end_user        String,
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
ORDER BY (workspace_id, bucket, end_user)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

-- Both begin with what older tables count. Emptied first, so that this can run again.
TRUNCATE TABLE IF EXISTS rollup_day;

INSERT INTO rollup_day
SELECT workspace_id, any(organization_id), toDateTime(toStartOfDay(bucket), 'UTC') AS day, model, provider, app_id, agent_id, api_key_id, type,
    sum(calls), sum(errors), sum(input_tokens), sum(output_tokens), sum(cost_micro_usd), sum(latency_us),
    uniqMergeState(users), quantilesTDigestMergeState(0.5, 0.95, 0.99)(latency), quantilesTDigestMergeState(0.5, 0.95, 0.99)(ttft), max(last_position)
FROM rollup_hour GROUP BY workspace_id, day, model, provider, app_id, agent_id, api_key_id, type
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

TRUNCATE TABLE IF EXISTS rollup_user;

INSERT INTO rollup_user
SELECT workspace_id, any(organization_id), bucket, end_user,
    sum(calls), sum(errors), sum(input_tokens), sum(output_tokens), sum(cost_micro_usd), sum(latency_us), max(last_position)
FROM rollup_user_day GROUP BY workspace_id, bucket, end_user
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

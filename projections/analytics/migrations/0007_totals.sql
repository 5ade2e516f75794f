-- All calls of a workspace by hour: how fast and reliable they were is asked most
-- often without a filter.
CREATE TABLE IF NOT EXISTS rollup_total
(
    workspace_id    LowCardinality(String),
    organization_id SimpleAggregateFunction(any, LowCardinality(String)),
    bucket          DateTime('UTC') CODEC(Delta, ZSTD),
    calls           SimpleAggregateFunction(sum, UInt64),
    errors          SimpleAggregateFunction(sum, UInt64),
    input_tokens    SimpleAggregateFunction(sum, UInt64),
    output_tokens   SimpleAggregateFunction(sum, UInt64),
    cost_micro_usd  SimpleAggregateFunction(sum, Int64),
    latency_us      SimpleAggregateFunction(sum, UInt64),
    latency         AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), UInt64),
    ttft            AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), UInt64),
    last_position   SimpleAggregateFunction(max, UInt64),
    lane            UInt16
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(bucket)
PRIMARY KEY (workspace_id, bucket)
ORDER BY (workspace_id, bucket, lane)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

-- It begins with what the hours count. Emptied first, so that this can run again.
TRUNCATE TABLE IF EXISTS rollup_total;

INSERT INTO rollup_total
SELECT workspace_id, any(organization_id), bucket,
    sum(calls), sum(errors), sum(input_tokens), sum(output_tokens), sum(cost_micro_usd), sum(latency_us),
    quantilesTDigestMergeState(0.5, 0.95, 0.99)(latency), quantilesTDigestMergeState(0.5, 0.95, 0.99)(ttft), max(last_position), lane
FROM rollup_hour GROUP BY workspace_id, bucket, lane
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

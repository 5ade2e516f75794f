-- One row per model call. Costs are micro-USD, times of calls microseconds.
CREATE TABLE IF NOT EXISTS inferences_local ON CLUSTER `strata`
(
    position            UInt64 CODEC(Delta, ZSTD),
    event_id            UUID,
    recorded_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    id                  String,
    ts                  DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    organization_id     LowCardinality(String),
    workspace_id        LowCardinality(String),
    end_user            String,
    api_key_id          LowCardinality(String),
    app_id              LowCardinality(String),
    agent_id            LowCardinality(String),
    session_id          String,
    conversation_id     String,
    type                LowCardinality(String),
    requested_model     LowCardinality(String),
    model               LowCardinality(String),
    provider            LowCardinality(String),
    route               LowCardinality(String),
    stream              Bool,
    status              LowCardinality(String),
    http_status         UInt16,
    error_code          LowCardinality(String),
    error               String,
    cancelled           Bool,
    finish_reason       LowCardinality(String),
    input_tokens        UInt64,
    output_tokens       UInt64,
    cached_tokens       UInt64,
    usage_estimated     Bool,
    cost_micro_usd      Int64,
    latency_us          UInt64,
    ttft_us             UInt64,
    attempts            UInt16,
    tags                Array(LowCardinality(String)),
    metadata            Map(LowCardinality(String), String),
    correlation_id      String,
    request_id          String,
    reservation_budgets Array(LowCardinality(String)),
    reservation_ids     Array(String),
    INDEX by_position position TYPE minmax GRANULARITY 1,
    INDEX by_id id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_correlation correlation_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(ts)
PRIMARY KEY (workspace_id, toStartOfHour(ts))
ORDER BY (workspace_id, toStartOfHour(ts), ts, id)
SETTINGS replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS inferences ON CLUSTER `strata` AS inferences_local
ENGINE = Distributed('strata', currentDatabase(), 'inferences_local', rand());

-- What was said. Dropped by whole parts when the youngest row is a month old.
CREATE TABLE IF NOT EXISTS inference_payloads_local ON CLUSTER `strata`
(
    position     UInt64 CODEC(Delta, ZSTD),
    recorded_at  DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    workspace_id LowCardinality(String),
    id           String,
    subject      String,
    request      String CODEC(ZSTD(3)),
    response     String CODEC(ZSTD(3)),
    INDEX by_position position TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (workspace_id, id)
TTL toDateTime(recorded_at) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS inference_payloads ON CLUSTER `strata` AS inference_payloads_local
ENGINE = Distributed('strata', currentDatabase(), 'inference_payloads_local', rand());

-- Up to where everything derived from a topic is complete.
CREATE TABLE IF NOT EXISTS writer_progress ON CLUSTER `strata`
(
    topic    LowCardinality(String),
    position UInt64,
    at       DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/{database}/{table}', '{shard}-{replica}', position)
ORDER BY topic
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Calls by minute. End users are only counted: as a key they would make the rollup as long as the rows.
CREATE TABLE IF NOT EXISTS rollup_minute_local ON CLUSTER `strata`
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
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(bucket)
PRIMARY KEY (workspace_id, bucket)
ORDER BY (workspace_id, bucket, model, provider, app_id, agent_id, api_key_id, type)
SETTINGS replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS rollup_minute ON CLUSTER `strata` AS rollup_minute_local
ENGINE = Distributed('strata', currentDatabase(), 'rollup_minute_local', rand());

-- The same by hour.
CREATE TABLE IF NOT EXISTS rollup_hour_local ON CLUSTER `strata`
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
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(bucket)
PRIMARY KEY (workspace_id, bucket)
ORDER BY (workspace_id, bucket, model, provider, app_id, agent_id, api_key_id, type)
SETTINGS replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS rollup_hour ON CLUSTER `strata` AS rollup_hour_local
ENGINE = Distributed('strata', currentDatabase(), 'rollup_hour_local', rand());

-- Calls by day and end user: what each of them used and cost.
CREATE TABLE IF NOT EXISTS rollup_user_day_local ON CLUSTER `strata`
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
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(bucket)
PRIMARY KEY (workspace_id, bucket)
ORDER BY (workspace_id, bucket, end_user, model, provider, app_id, agent_id)
SETTINGS replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS rollup_user_day ON CLUSTER `strata` AS rollup_user_day_local
ENGINE = Distributed('strata', currentDatabase(), 'rollup_user_day_local', rand());

-- Calls by day: what a month's report reads. By the hour it would be 24 times as much.
CREATE TABLE IF NOT EXISTS rollup_day_local ON CLUSTER `strata`
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
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(bucket)
PRIMARY KEY (workspace_id, bucket)
ORDER BY (workspace_id, bucket, model, provider, app_id, agent_id, api_key_id, type)
SETTINGS replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS rollup_day ON CLUSTER `strata` AS rollup_day_local
ENGINE = Distributed('strata', currentDatabase(), 'rollup_day_local', rand());

-- Calls by day and end user, without more keys: with a model and an app in it,
-- such a table is nearly as long as the rows.
CREATE TABLE IF NOT EXISTS rollup_user_local ON CLUSTER `strata`
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
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(bucket)
PRIMARY KEY (workspace_id, bucket)
ORDER BY (workspace_id, bucket, end_user)
SETTINGS replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS rollup_user ON CLUSTER `strata` AS rollup_user_local
ENGINE = Distributed('strata', currentDatabase(), 'rollup_user_local', rand());

-- Both begin with what older tables count. Emptied first, so that this can run again.
TRUNCATE TABLE IF EXISTS rollup_day_local ON CLUSTER `strata` SYNC;

INSERT INTO rollup_day
SELECT workspace_id, any(organization_id), toDateTime(toStartOfDay(bucket), 'UTC') AS day, model, provider, app_id, agent_id, api_key_id, type,
    sum(calls), sum(errors), sum(input_tokens), sum(output_tokens), sum(cost_micro_usd), sum(latency_us),
    uniqMergeState(users), quantilesTDigestMergeState(0.5, 0.95, 0.99)(latency), quantilesTDigestMergeState(0.5, 0.95, 0.99)(ttft), max(last_position)
FROM rollup_hour GROUP BY workspace_id, day, model, provider, app_id, agent_id, api_key_id, type
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

TRUNCATE TABLE IF EXISTS rollup_user_local ON CLUSTER `strata` SYNC;

INSERT INTO rollup_user
SELECT workspace_id, any(organization_id), bucket, end_user,
    sum(calls), sum(errors), sum(input_tokens), sum(output_tokens), sum(cost_micro_usd), sum(latency_us), max(last_position)
FROM rollup_user_day GROUP BY workspace_id, bucket, end_user
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

-- rollup_user has taken its place.
DROP TABLE IF EXISTS rollup_user_day_local ON CLUSTER `strata` SYNC;

-- rollup_user has taken its place.
DROP TABLE IF EXISTS rollup_user_day ON CLUSTER `strata` SYNC;

-- For lists of what is rare: without them every call of a workspace is looked at.
ALTER TABLE inferences_local ON CLUSTER `strata` ADD INDEX IF NOT EXISTS by_user end_user TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE inferences_local ON CLUSTER `strata` ADD INDEX IF NOT EXISTS by_session session_id TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE inferences_local ON CLUSTER `strata` ADD INDEX IF NOT EXISTS by_tag tags TYPE bloom_filter(0.01) GRANULARITY 1;

-- Parts that are there already get them in the background.
ALTER TABLE inferences_local ON CLUSTER `strata` MATERIALIZE INDEX IF EXISTS by_user;

ALTER TABLE inferences_local ON CLUSTER `strata` MATERIALIZE INDEX IF EXISTS by_session;

ALTER TABLE inferences_local ON CLUSTER `strata` MATERIALIZE INDEX IF EXISTS by_tag;

-- Several writers, each with a lane of its own: a partition of the topic that calls
-- come over. Lane 0 is that of the one writer that follows the log itself.
ALTER TABLE inferences_local ON CLUSTER `strata` ADD COLUMN IF NOT EXISTS lane UInt16;

-- Several writers, each with a lane of its own: a partition of the topic that calls
-- come over. Lane 0 is that of the one writer that follows the log itself.
ALTER TABLE inferences ON CLUSTER `strata` ADD COLUMN IF NOT EXISTS lane UInt16;

ALTER TABLE inference_payloads_local ON CLUSTER `strata` ADD COLUMN IF NOT EXISTS lane UInt16;

ALTER TABLE inference_payloads ON CLUSTER `strata` ADD COLUMN IF NOT EXISTS lane UInt16;

-- Rows of two lanes are not merged: each lane has to find up to where it is counted.
ALTER TABLE rollup_minute_local ON CLUSTER `strata` ADD COLUMN IF NOT EXISTS lane UInt16, MODIFY ORDER BY (workspace_id, bucket, model, provider, app_id, agent_id, api_key_id, type, lane);

-- Rows of two lanes are not merged: each lane has to find up to where it is counted.
ALTER TABLE rollup_minute ON CLUSTER `strata` ADD COLUMN IF NOT EXISTS lane UInt16;

ALTER TABLE rollup_hour_local ON CLUSTER `strata` ADD COLUMN IF NOT EXISTS lane UInt16, MODIFY ORDER BY (workspace_id, bucket, model, provider, app_id, agent_id, api_key_id, type, lane);

ALTER TABLE rollup_hour ON CLUSTER `strata` ADD COLUMN IF NOT EXISTS lane UInt16;

ALTER TABLE rollup_day_local ON CLUSTER `strata` ADD COLUMN IF NOT EXISTS lane UInt16, MODIFY ORDER BY (workspace_id, bucket, model, provider, app_id, agent_id, api_key_id, type, lane);

ALTER TABLE rollup_day ON CLUSTER `strata` ADD COLUMN IF NOT EXISTS lane UInt16;

ALTER TABLE rollup_user_local ON CLUSTER `strata` ADD COLUMN IF NOT EXISTS lane UInt16, MODIFY ORDER BY (workspace_id, bucket, end_user, lane);

ALTER TABLE rollup_user ON CLUSTER `strata` ADD COLUMN IF NOT EXISTS lane UInt16;

-- All calls of a workspace by hour: how fast and reliable they were is asked most
-- often without a filter.
CREATE TABLE IF NOT EXISTS rollup_total_local ON CLUSTER `strata`
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
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(bucket)
PRIMARY KEY (workspace_id, bucket)
ORDER BY (workspace_id, bucket, lane)
SETTINGS replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS rollup_total ON CLUSTER `strata` AS rollup_total_local
ENGINE = Distributed('strata', currentDatabase(), 'rollup_total_local', rand());

-- It begins with what the hours count. Emptied first, so that this can run again.
TRUNCATE TABLE IF EXISTS rollup_total_local ON CLUSTER `strata` SYNC;

INSERT INTO rollup_total
SELECT workspace_id, any(organization_id), bucket,
    sum(calls), sum(errors), sum(input_tokens), sum(output_tokens), sum(cost_micro_usd), sum(latency_us),
    quantilesTDigestMergeState(0.5, 0.95, 0.99)(latency), quantilesTDigestMergeState(0.5, 0.95, 0.99)(ttft), max(last_position), lane
FROM rollup_hour GROUP BY workspace_id, bucket, lane
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

-- What can be found by its meaning: a row per piece of text. A row is replaced by
-- one of the same key from later in the log, and goes by one that says deleted.
CREATE TABLE IF NOT EXISTS vectors_local ON CLUSTER `strata`
(
    workspace_id LowCardinality(String),
    index_id     LowCardinality(String),
    item_id      String,
    ordinal      UInt32,
    position     UInt64 CODEC(Delta, ZSTD),
    deleted      UInt8,
    subject      String,
    model        LowCardinality(String),
    text         String CODEC(ZSTD),
    metadata     String CODEC(ZSTD),
    terms        Array(UInt32) CODEC(ZSTD),
    embedding    Array(Float32) CODEC(NONE)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', position, deleted)
ORDER BY (workspace_id, index_id, item_id, ordinal)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS vectors ON CLUSTER `strata` AS vectors_local
ENGINE = Distributed('strata', currentDatabase(), 'vectors_local', arrayFold((hash, byte) -> bitXor(hash, byte) * toUInt64(1099511628211), arrayMap(at -> toUInt64(ascii(substring(index_id, at, 1))), range(1, length(index_id) + 1)), toUInt64(14695981039346656037)));

-- The latest evaluation of each checkpoint on each benchmark. A row without
-- checkpoint says that a training was deleted, and everything of it with it.
CREATE TABLE IF NOT EXISTS rankings_local ON CLUSTER `strata`
(
    workspace_id    LowCardinality(String),
    training_id     String,
    checkpoint_id   String,
    benchmark_id    String,
    position        UInt64 CODEC(Delta, ZSTD),
    checkpoint_name String CODEC(ZSTD),
    evaluation_id   String,
    evaluated_at    DateTime64(6, 'UTC'),
    metrics         Map(LowCardinality(String), Float64)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', position)
ORDER BY (workspace_id, training_id, checkpoint_id, benchmark_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS rankings ON CLUSTER `strata` AS rankings_local
ENGINE = Distributed('strata', currentDatabase(), 'rankings_local', arrayFold((hash, byte) -> bitXor(hash, byte) * toUInt64(1099511628211), arrayMap(at -> toUInt64(ascii(substring(workspace_id, at, 1))), range(1, length(workspace_id) + 1)), toUInt64(14695981039346656037)));

-- One row per model call. Costs are micro-USD, times of calls microseconds.
CREATE TABLE IF NOT EXISTS inferences
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
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
PRIMARY KEY (workspace_id, toStartOfHour(ts))
ORDER BY (workspace_id, toStartOfHour(ts), ts, id)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

-- What was said. Dropped by whole parts when the youngest row is a month old.
CREATE TABLE IF NOT EXISTS inference_payloads
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
ENGINE = MergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (workspace_id, id)
TTL toDateTime(recorded_at) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

-- Up to where everything derived from a topic is complete.
CREATE TABLE IF NOT EXISTS writer_progress
(
    topic    LowCardinality(String),
    position UInt64,
    at       DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(position)
ORDER BY topic
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

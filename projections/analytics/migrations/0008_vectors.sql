-- What can be found by its meaning: a row per piece of text. A row is replaced by
-- one of the same key from later in the log, and goes by one that says deleted.
CREATE TABLE IF NOT EXISTS vectors
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
ENGINE = ReplacingMergeTree(position, deleted)
ORDER BY (workspace_id, index_id, item_id, ordinal)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

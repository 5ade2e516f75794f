-- The latest evaluation of each checkpoint on each benchmark. A row without
-- checkpoint says that a training was deleted, and everything of it with it.
CREATE TABLE IF NOT EXISTS rankings
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
ENGINE = ReplacingMergeTree(position)
ORDER BY (workspace_id, training_id, checkpoint_id, benchmark_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- For lists of what is rare: without them every call of a workspace is looked at.
ALTER TABLE inferences ADD INDEX IF NOT EXISTS by_user end_user TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE inferences ADD INDEX IF NOT EXISTS by_session session_id TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE inferences ADD INDEX IF NOT EXISTS by_tag tags TYPE bloom_filter(0.01) GRANULARITY 1;

-- Parts that are there already get them in the background.
ALTER TABLE inferences MATERIALIZE INDEX IF EXISTS by_user;

ALTER TABLE inferences MATERIALIZE INDEX IF EXISTS by_session;

ALTER TABLE inferences MATERIALIZE INDEX IF EXISTS by_tag;

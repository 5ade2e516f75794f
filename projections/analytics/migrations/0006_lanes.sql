-- Several writers, each with a lane of its own: a partition of the topic that calls
-- come over. Lane 0 is that of the one writer that follows the log itself.
ALTER TABLE inferences ADD COLUMN IF NOT EXISTS lane UInt16;

ALTER TABLE inference_payloads ADD COLUMN IF NOT EXISTS lane UInt16;

-- Rows of two lanes are not merged: each lane has to find up to where it is counted.
ALTER TABLE rollup_minute ADD COLUMN IF NOT EXISTS lane UInt16, MODIFY ORDER BY (workspace_id, bucket, model, provider, app_id, agent_id, api_key_id, type, lane);

ALTER TABLE rollup_hour ADD COLUMN IF NOT EXISTS lane UInt16, MODIFY ORDER BY (workspace_id, bucket, model, provider, app_id, agent_id, api_key_id, type, lane);

ALTER TABLE rollup_day ADD COLUMN IF NOT EXISTS lane UInt16, MODIFY ORDER BY (workspace_id, bucket, model, provider, app_id, agent_id, api_key_id, type, lane);

ALTER TABLE rollup_user ADD COLUMN IF NOT EXISTS lane UInt16, MODIFY ORDER BY (workspace_id, bucket, end_user, lane);

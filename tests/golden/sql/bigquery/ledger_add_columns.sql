ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN attempts INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN attribute STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN custom_id STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN first_seen_at DATETIME;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN last_seen_at DATETIME;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN reason STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN rejected_by STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN resolved_at DATETIME;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN run_id STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN sent_hash STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN staged BOOL;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN accepted INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN attribute_types STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN committed INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN committed_key STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN committed_position INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN committing_seconds FLOAT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN delta_id STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN endpoint STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN error STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN exits INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN finished_at DATETIME;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN heartbeat_at DATETIME;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN host STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN inserts INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN intent_position INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN invalid INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN mapping_hash STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN output STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN parked INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN process INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN project_hash STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN reading_seconds FLOAT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN rejected_attributes INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN rejected_rows INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN rendering_seconds FLOAT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN requests INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN retries INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN run_id STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN seconds FLOAT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN sending_seconds FLOAT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN sent INT64;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN started_at DATETIME;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN status STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN tool_version STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN updates INT64;

ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN attempts BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN attribute STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN custom_id STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN first_seen_at TIMESTAMP;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN last_seen_at TIMESTAMP;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN reason STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN rejected_by STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN resolved_at TIMESTAMP;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN run_id STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN sent_hash STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_rejects
ADD COLUMN staged BOOLEAN;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN accepted BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN attribute_types STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN committed BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN committed_key STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN committed_position BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN committing_seconds DOUBLE;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN delta_id STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN endpoint STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN error STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN exits BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN finished_at TIMESTAMP;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN heartbeat_at TIMESTAMP;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN host STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN inserts BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN intent_position BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN invalid BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN mapping_hash STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN output STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN parked BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN process BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN project_hash STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN reading_seconds DOUBLE;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN rejected_attributes BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN rejected_rows BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN rendering_seconds DOUBLE;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN requests BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN retries BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN run_id STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN seconds DOUBLE;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN sending_seconds DOUBLE;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN sent BIGINT;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN started_at TIMESTAMP;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN status STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN tool_version STRING;
ALTER TABLE `my-db`.`Marketing`.batch_sync_runs
ADD COLUMN updates BIGINT;

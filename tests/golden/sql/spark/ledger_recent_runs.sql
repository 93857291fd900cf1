SELECT
  run_id,
  segment,
  status,
  started_at,
  finished_at,
  heartbeat_at,
  delta_id,
  endpoint,
  output,
  project_hash,
  mapping_hash,
  attribute_types,
  tool_version,
  host,
  process,
  inserts,
  updates,
  exits,
  invalid,
  sent,
  accepted,
  rejected_rows,
  rejected_attributes,
  parked,
  requests,
  retries,
  committed,
  seconds,
  intent_position,
  committed_position,
  committed_key,
  error
FROM `my-db`.`Marketing`.batch_sync_runs
WHERE
  segment = :segment
ORDER BY
  started_at DESC
LIMIT 10;

-- id:         latest_finding
-- title:      The newest finding that is open and at least so severe
-- param:      severity_id   3 medium, 4 high, 5 critical
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
select
  finding_info.uid as uid,
  finding_info.title as title,
  finding_info.desc as desc,
  finding_info.types as types,
  finding_info.analytic.name as rule,
  finding_info.first_seen_time_dt as first_seen,
  finding_info.last_seen_time_dt as last_seen,
  finding_info.created_time_dt as created,
  time_dt as time,
  severity,
  severity_id,
  status,
  metadata.product.name as product,
  compliance.control as control,
  compliance.status as compliance,
  resource.uid as resource_uid,
  resource.type as resource_type,
  resources,
  evidences,
  accountid,
  region,
  metadata.uid as event_id,
  metadata.log_name as object,
  metadata.sequence as index
from findings
where severity_id >= $severity_id
  and severity_id < 99
  and coalesce(status_id, 1) in (0, 1, 2)
  and coalesce(compliance.status, 'FAILED') <> 'PASSED'
  and time >= $window_start
  and time < $window_end
order by time_dt desc
limit 1

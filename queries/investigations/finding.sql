-- id:         finding
-- title:      One finding as it is now
-- param:      finding       its uid
-- unbounded:  a uid is a finding's alone
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
from finding_history
where finding_info.uid = $finding
order by time_dt desc, metadata.logged_time_dt desc, metadata.processed_time_dt desc, metadata.uid
limit 1

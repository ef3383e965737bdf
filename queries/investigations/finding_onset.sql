-- id:         finding_onset
-- title:      When a finding last began: its states in order
-- param:      finding       its uid
-- unbounded:  a uid is a finding's alone
select
  time_dt as time,
  finding_info.created_time_dt as created,
  finding_info.first_seen_time_dt as first_seen,
  finding_info.last_seen_time_dt as last_seen,
  compliance.status as compliance,
  status,
  finding_info.types as types,
  evidences,
  resources,
  metadata.uid as event_id,
  metadata.log_name as object,
  metadata.sequence as index
from finding_history
where finding_info.uid = $finding
order by time_dt
limit 500

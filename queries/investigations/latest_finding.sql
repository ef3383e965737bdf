-- id:         latest_finding
-- title:      The newest finding that is open and at least so severe
-- param:      severity_id   3 medium, 4 high, 5 critical
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
select
  uid,
  title,
  severity,
  time_dt as time
from (
  select
    *,
    row_number() over (
      partition by uid order by time_dt desc, logged_time_dt desc, processed_time_dt desc, event_id
    ) as age
  from finding_states
  -- What is newer than the window says that a finding had another state then.
  where time_dt >= $window_start
)
where age = 1
  and severity_id >= $severity_id
  and severity_id < 99
  and coalesce(status_id, 1) in (0, 1, 2)
  and coalesce(compliance, 'FAILED') <> 'PASSED'
  and time_dt < $window_end
order by time_dt desc
limit 1

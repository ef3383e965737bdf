-- id:         resource_states
-- title:      How AWS Config recorded a resource, state by state
-- param:      account       the account's id
-- param:      resource      ARN, id or name
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
select
  time_dt as time,
  status,
  configuration,
  supplementary_configuration as supplementary,
  changes,
  related_events,
  metadata.uid as event_id,
  metadata.log_name as object,
  metadata.sequence as index
from configuration_item
where accountid = $account
  and (resource.uid = $resource or resource.uid_alt = $resource or resource.name = $resource)
  and time >= $window_start
  and time < $window_end
order by time_dt
limit 500

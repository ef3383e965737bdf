-- id:         resource_changes
-- title:      Every change of a resource, whoever made it, the newest first
-- param:      resource      ARN, id or name
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
-- known_gaps: a change made by a call that does not name the resource is not found
select
  accountid,
  region,
  resource,
  service,
  operation,
  error,
  principal,
  actor,
  credential,
  source,
  events,
  first_seen,
  last_seen,
  event_ids
from touches
where resource = resource_uid($resource)
  and not coalesce(is_read, false)
  and last_seen >= $window_start
  and first_seen < $window_end
order by last_seen desc
limit 1000

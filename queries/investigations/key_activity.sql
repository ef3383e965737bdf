-- id:         key_activity
-- title:      What an access key did: calls by operation, outcome and address
-- param:      key           access key id, AKIA… or ASIA…
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
-- known_gaps: calls a service makes on behalf of the key carry a key of their own
select
  min(time_dt) as first_seen,
  max(time_dt) as last_seen,
  count(*) as calls,
  accountid,
  region,
  actor.user.uid as principal,
  api.service.name as api_service,
  api.operation as operation,
  api.response.error as error,
  coalesce(src_endpoint.ip, src_endpoint.domain) as source
from cloudtrail
where actor.user.credential_uid = $key
  and time >= $window_start
  and time < $window_end
group by accountid, region, principal, api_service, operation, error, source
order by first_seen, operation

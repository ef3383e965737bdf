-- id:         denied_calls
-- title:      What was tried and refused, by principal and operation
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
-- known_gaps: calls refused by a VPC endpoint are in the log of the endpoint's owner only
select
  count(*) as calls,
  min(time_dt) as first_seen,
  max(time_dt) as last_seen,
  accountid,
  actor.user.uid as principal,
  actor.user.credential_uid as key,
  api.service.name as api_service,
  api.operation as operation,
  api.response.error as error,
  coalesce(src_endpoint.ip, src_endpoint.domain) as source
from cloudtrail
where time >= $window_start
  and time < $window_end
  and regexp_like(api.response.error, 'AccessDenied|Unauthorized|Forbidden')
group by accountid, principal, key, api_service, operation, error, source
order by calls desc, first_seen

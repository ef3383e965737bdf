-- id:         sign_ins
-- title:      Who signed in or took a role, from where, with or without MFA
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
-- known_gaps: console sessions issue keys without an event of their own
select
  time_dt,
  accountid,
  region,
  api.operation as operation,
  status,
  actor.user.uid as principal,
  user.name as signed_in_as,
  session.issuer as role,
  session.credential_uid as issued_key,
  is_mfa,
  coalesce(src_endpoint.ip, src_endpoint.domain) as source,
  http_request.user_agent as user_agent
from authentication
where time >= $window_start
  and time < $window_end
order by time_dt

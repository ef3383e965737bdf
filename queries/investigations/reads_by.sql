-- id:         reads_by
-- title:      What a key, a session, a user or role, or an address looked at and fetched, call by call name
-- param:      key           access key id; '' for any
-- param:      actor         ARN of the session or user; '' for any
-- param:      principal     ARN of the user or role; '' for any
-- param:      ip            the address; '' for any
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
select
  min(time_dt) as time,
  max(time_dt) as last,
  count(*) as count,
  sum(cast(unmapped['additionalEventData.bytesTransferredOut'] as bigint)) as bytes_out,
  accountid,
  region,
  api.service.name as service,
  api.operation as operation,
  true as is_read,
  coalesce(actor.session.issuer, actor.user.uid) as principal,
  actor.user.uid as actor,
  actor.user.credential_uid as credential,
  coalesce(src_endpoint.ip, src_endpoint.domain) as source,
  http_request.user_agent as agent,
  first_value(metadata.uid order by time_dt) as event_id,
  first_value(metadata.log_name order by time_dt) as object,
  first_value(metadata.sequence order by time_dt) as index
from cloudtrail
where ($key = '' or actor.user.credential_uid = $key)
  and ($actor = '' or actor.user.uid = $actor)
  and ($principal = '' or actor.user.uid = $principal or actor.session.issuer = $principal)
  and ($ip = '' or src_endpoint.ip = $ip)
  and time >= $window_start
  and time < $window_end
  and unmapped['readOnly'] = 'true'
  and api.response.error is null
group by
  accountid,
  region,
  api.service.name,
  api.operation,
  coalesce(actor.session.issuer, actor.user.uid),
  actor.user.uid,
  actor.user.credential_uid,
  coalesce(src_endpoint.ip, src_endpoint.domain),
  http_request.user_agent
order by min(time_dt)
limit 1000

-- id:         changes_by
-- title:      What a key, a session, a user or role, or an address changed, was refused, or signed in to, call by call
-- param:      key           access key id; '' for any
-- param:      actor         ARN of the session or user; '' for any
-- param:      principal     ARN of the user or role; '' for any
-- param:      ip            the address; '' for any
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
select
  time_dt as time,
  accountid,
  region,
  api.service.name as service,
  api.operation as operation,
  api.response.error as error,
  unmapped['readOnly'] = 'true' as is_read,
  actor.user.type as identity,
  coalesce(actor.session.issuer, actor.user.uid) as principal,
  actor.user.uid as actor,
  actor.user.account.uid as actor_account,
  actor.user.credential_uid as credential,
  actor.session.created_time_dt as session_created,
  actor.session.is_mfa as is_mfa,
  actor.invoked_by as invoked_by,
  unmapped['userIdentity.sessionContext.sourceIdentity'] as source_identity,
  unmapped['sharedEventID'] as shared_event_id,
  unmapped['sessionCredentialFromConsole'] = 'true' as is_console,
  coalesce(src_endpoint.ip, src_endpoint.domain) as source,
  http_request.user_agent as agent,
  api.request.data as request,
  api.response.data as response,
  metadata.uid as event_id,
  metadata.log_name as object,
  metadata.sequence as index
from cloudtrail
where ($key = '' or actor.user.credential_uid = $key)
  and ($actor = '' or actor.user.uid = $actor)
  and ($principal = '' or actor.user.uid = $principal or actor.session.issuer = $principal)
  and ($ip = '' or src_endpoint.ip = $ip)
  and time >= $window_start
  and time < $window_end
  and (unmapped['readOnly'] is null or unmapped['readOnly'] = 'false' or api.response.error is not null)
order by time_dt
limit 1000

-- id:         issued_session
-- title:      Which calls or sign-ins began a session of this name in a stretch of time
-- param:      actor         ARN of the session, or of a user who signed in to the console
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
select
  accountid,
  parent_credential,
  parent_actor,
  parent_principal,
  parent_identity,
  parent_name,
  parent_account,
  child_credential,
  child_actor,
  child_principal,
  child_account,
  issued_at,
  expires_at,
  kind,
  source_identity,
  is_mfa,
  source,
  agent,
  event_id,
  shared_event_id
from session_edge
where child_actor = $actor
  and issued_at >= $window_start
  and issued_at < $window_end
order by issued_at
limit 50

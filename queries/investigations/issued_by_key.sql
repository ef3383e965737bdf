-- id:         issued_by_key
-- title:      Which credentials were issued with a key
-- param:      key           access key id, AKIA… or ASIA…
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
where parent_credential = $key
  and issued_at >= $window_start
  and issued_at < $window_end
order by issued_at
limit 200

-- id:         issued_key
-- title:      Which call issued a temporary key, and who made it
-- param:      key           access key id, ASIA…
-- unbounded:  a key is issued once
-- known_gaps: the console's keys are issued without an event: see issued_session
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
where child_credential = $key
order by issued_at
limit 50

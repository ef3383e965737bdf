-- id:         principal_life
-- title:      Which sessions and keys a user or role had, and where they were used from
-- param:      principal     ARN of the user or role; a service's name
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
select
  accountid,
  principal,
  actor,
  credential,
  identity,
  source,
  network,
  agent,
  min(session_created) as session_created,
  bool_or(is_mfa) as is_mfa,
  sum(events) as events,
  sum(case when error is null then 0 else events end) as failed,
  min(first_seen) as first_seen,
  max(last_seen) as last_seen
from footprints
where principal = $principal
  and last_seen >= $window_start
  and first_seen < $window_end
group by accountid, principal, actor, credential, identity, source, network, agent
order by last_seen desc
limit 2000

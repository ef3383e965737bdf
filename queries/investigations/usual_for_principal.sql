-- id:         usual_for_principal
-- title:      What a user or role usually does: networks, tools, calls, Regions, accounts, each with its first day
-- param:      principal     ARN of the user or role
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
select
  accountid,
  region,
  coalesce(network, source) as network,
  agent,
  service,
  operation,
  sum(events) as events,
  min(first_seen) as first_seen,
  max(last_seen) as last_seen
from footprints
where principal = $principal
  and last_seen >= $window_start
  and first_seen < $window_end
group by accountid, region, coalesce(network, source), agent, service, operation
order by first_seen
limit 20000

-- id:         account_changes
-- title:      Who made certain calls in an account, the newest first
-- param:      account       the account's id
-- param:      operations    names of calls, with commas between: StopLogging,DeleteTrail
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
select
  accountid,
  region,
  service,
  operation,
  error,
  principal,
  actor,
  credential,
  source,
  sum(events) as events,
  min(first_seen) as first_seen,
  max(last_seen) as last_seen
from footprints
where accountid = $account
  and array_has(string_to_array($operations, ','), operation)
  and last_seen >= $window_start
  and first_seen < $window_end
group by accountid, eventday, region, service, operation, error, principal, actor, credential, source
order by last_seen desc
limit 1000

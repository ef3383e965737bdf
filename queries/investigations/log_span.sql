-- id:         log_span
-- title:      From when to when an account's CloudTrail is in the lake
-- param:      account       the account's id
-- unbounded:  the question is where the logs begin
select
  min(first_seen) as first_seen,
  max(last_seen) as last_seen,
  sum(events) as events
from footprints
where accountid = $account

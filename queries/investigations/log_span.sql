-- id:         log_span
-- title:      The first and the last moment of an account's CloudTrail on a day
-- param:      account       the account's id
-- param:      day           the day, e.g. 20250101: log_first_day and log_last_day tell them
select
  min(first_seen) as first_seen,
  max(last_seen) as last_seen
from footprints
where accountid = $account
  and eventday = $day

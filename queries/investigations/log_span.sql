-- id:         log_span
-- title:      The first and the last moment of an account's CloudTrail on two days
-- param:      account       the account's id
-- param:      first_day     the day it begins, e.g. 20250101: log_days tells
-- param:      last_day      the day it ends
select
  min(first_seen) as first_seen,
  max(last_seen) as last_seen
from footprints
where accountid = $account
  and eventday in ($first_day, $last_day)

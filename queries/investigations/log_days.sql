-- id:         log_days
-- title:      From which day to which an account's CloudTrail is in the lake
-- param:      account       the account's id
-- unbounded:  the question is where the logs begin
select
  min(eventday) as first_day,
  max(eventday) as last_day
from footprints
where accountid = $account

-- id:         log_first_day
-- title:      The first day of an account's CloudTrail in the lake
-- param:      account       the account's id
-- unbounded:  the question is where the logs begin
select min(eventday) as day
from footprints
where accountid = $account

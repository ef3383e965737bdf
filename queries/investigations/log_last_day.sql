-- id:         log_last_day
-- title:      The last day of an account's CloudTrail in the lake
-- param:      account       the account's id
-- unbounded:  the question is where the logs end
select max(eventday) as day
from footprints
where accountid = $account

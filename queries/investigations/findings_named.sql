-- id:         findings_named
-- title:      Findings whose uid ends in a name, the newest first
-- param:      name          the last part of a uid or ARN
-- unbounded:  a name says nothing of time
select
  uid,
  max(time_dt) as time
from finding_states
where ends_with(uid, '/' || $name)
group by uid
order by time desc
limit 5

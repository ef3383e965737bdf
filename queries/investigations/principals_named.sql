-- id:         principals_named
-- title:      Which users, roles and sessions have a name
-- param:      name          the last part of an ARN, or a service's name
-- unbounded:  the question is whether there is one at all
select
  principal,
  max(accountid) as accountid,
  min(first_seen) as first_seen,
  max(last_seen) as last_seen,
  sum(events) as events
from footprints
where principal = $name
  or ends_with(principal, '/' || $name)
  or ends_with(actor, '/' || $name)
group by principal
order by last_seen desc
limit 20

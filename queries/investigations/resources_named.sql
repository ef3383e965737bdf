-- id:         resources_named
-- title:      Which resources have a name
-- param:      name          the last part of an ARN, or a bare id
-- unbounded:  the question is whether there is one at all
select
  resource,
  max(accountid) as accountid,
  min(first_seen) as first_seen,
  max(last_seen) as last_seen,
  sum(events) as events
from touches
where resource = $name
  or resource = 'arn:aws:s3:::' || $name
  or ends_with(resource, '/' || $name)
  or ends_with(resource, ':' || $name)
group by resource
order by last_seen desc
limit 20

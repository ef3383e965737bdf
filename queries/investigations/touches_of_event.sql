-- id:         touches_of_event
-- title:      Where and when an event that changed something was, by its id
-- param:      event_id      the id of the event, eventID in CloudTrail
-- unbounded:  an id says nothing of time
-- known_gaps: calls that only read, and all but the last three of many equal ones of a day
select
  accountid,
  min(first_seen) as first_seen,
  max(last_seen) as last_seen
from touches
where contains(event_ids, $event_id)
group by accountid
limit 5

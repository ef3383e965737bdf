-- id:         who_changed_resource
-- title:      Who changed a resource: successful changes that name it
-- param:      resource      ARN, id or name, as it stands in the log
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
-- known_gaps: a resource the request names by another id or alias is not found
select
  time_dt,
  accountid,
  region,
  api.operation as operation,
  actor.user.uid as principal,
  actor.user.credential_uid as key,
  coalesce(src_endpoint.ip, src_endpoint.domain) as source,
  api.request.data as request,
  metadata.uid as event_id
from cloudtrail
where time >= $window_start
  and time < $window_end
  and status = 'Success'
  and (unmapped['readOnly'] is null or unmapped['readOnly'] = 'false')
  and (
    strpos(api.request.data, $resource) > 0
    or strpos(api.response.data, $resource) > 0
    or any_match(resources, r -> r.uid = $resource)
  )
order by time_dt

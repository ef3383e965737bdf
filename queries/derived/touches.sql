-- id:         touches
-- title:      Which call changed or named which resource
-- columns:    schemas/touches.txt
-- known_gaps: calls that only read tell who by the principal alone; they are most of all, and footprints have the rest
select
  eventday, accountid, region, resource, service, operation, is_read, error, principal, actor, credential, source, part,
  count(*) as events,
  min(at) as first_seen,
  max(at) as last_seen,
  last_ids(uid, ms) filter (where not coalesce(is_read, false)) as event_ids
from (
  select *, unnest(named) as resource
  from (
    select
      eventday,
      accountid,
      region,
      touched(
        api.service.name, coalesce(cloud.account.uid, e.actor.user.account.uid), cloud.region, api.request.data,
        api.response.data, resources, unmapped['readOnly'] = 'true'
      ) as named,
      api.service.name as service,
      api.operation as operation,
      unmapped['readOnly'] = 'true' as is_read,
      api.response.error as error,
      coalesce(e.actor.session.issuer, e.actor.user.uid, e.actor.invoked_by) as principal,
      case when unmapped['readOnly'] = 'true' then null else e.actor.user.uid end as actor,
      case when unmapped['readOnly'] = 'true' then null else e.actor.user.credential_uid end as credential,
      case
        when unmapped['readOnly'] = 'true' then null
        else coalesce(src_endpoint.ip, src_endpoint.domain, src_endpoint.svc_name)
      end as source,
      part,
      time as ms,
      time_dt as at,
      metadata.uid as uid
    from events as e
  ) as calls
) as named_calls
group by
  eventday, accountid, region, resource, service, operation, is_read, error, principal, actor, credential, source, part

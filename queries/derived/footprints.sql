-- id:         footprints
-- title:      Who, from where, what, with which outcome
-- columns:    schemas/footprints.txt
select
  eventday, accountid, region, principal, actor, credential, identity, session_created, source_identity, invoked_by,
  is_mfa, source, network, agent, service, operation, is_read, error, part,
  count(*) as events,
  min(at) as first_seen,
  max(at) as last_seen
from (
  select
    eventday,
    accountid,
    region,
    coalesce(e.actor.session.issuer, e.actor.user.uid, e.actor.invoked_by) as principal,
    e.actor.user.uid as actor,
    e.actor.user.credential_uid as credential,
    e.actor.user.type as identity,
    e.actor.session.created_time_dt as session_created,
    unmapped['userIdentity.sessionContext.sourceIdentity'] as source_identity,
    e.actor.invoked_by as invoked_by,
    e.actor.session.is_mfa as is_mfa,
    coalesce(src_endpoint.ip, src_endpoint.domain, src_endpoint.svc_name) as source,
    network_of(src_endpoint.ip) as network,
    agent_family(http_request.user_agent) as agent,
    api.service.name as service,
    api.operation as operation,
    unmapped['readOnly'] = 'true' as is_read,
    api.response.error as error,
    part,
    time_dt as at
  from events as e
) as calls
group by
  eventday, accountid, region, principal, actor, credential, identity, session_created, source_identity, invoked_by,
  is_mfa, source, network, agent, service, operation, is_read, error, part

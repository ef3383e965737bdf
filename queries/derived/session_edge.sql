-- id:         session_edge
-- title:      How one credential came from another
-- columns:    schemas/session_edge.txt
select
  eventday,
  accountid,
  region,
  actor.user.credential_uid as parent_credential,
  actor.user.uid as parent_actor,
  coalesce(actor.session.issuer, actor.user.uid, actor.invoked_by) as parent_principal,
  actor.user.type as parent_identity,
  actor.user.name as parent_name,
  coalesce(actor.user.account.uid, accountid) as parent_account,
  coalesce(session.credential_uid, json_extract_scalar(api.response.data, '$.credentials.accessKeyId'))
    as child_credential,
  case
    when api.operation = 'ConsoleLogin' then coalesce(actor.user.uid, user.uid)
    when api.operation = 'GetSessionToken' then actor.user.uid
    else coalesce(
      session.uid,
      json_extract_scalar(api.response.data, '$.assumedRoleUser.arn'),
      json_extract_scalar(api.response.data, '$.federatedUser.arn')
    )
  end as child_actor,
  case
    when api.operation in ('ConsoleLogin', 'GetSessionToken') then coalesce(actor.session.issuer, actor.user.uid)
    when api.operation = 'AssumeRoot' then json_extract_scalar(api.request.data, '$.targetPrincipal')
    else coalesce(
      session.issuer,
      json_extract_scalar(api.request.data, '$.roleArn'),
      json_extract_scalar(api.request.data, '$.roleName'),
      json_extract_scalar(api.request.data, '$.role_name')
    )
  end as child_principal,
  coalesce(
    json_extract_scalar(api.request.data, '$.accountId'),
    json_extract_scalar(api.request.data, '$.account_id'),
    accountid
  ) as child_account,
  time_dt as issued_at,
  coalesce(
    date_parse(expires, '%b %e, %Y, %l:%i:%s %p'),
    date_parse(expires, '%b %e, %Y %l:%i:%s %p'),
    from_iso8601_timestamp(expires)
  ) as expires_at,
  case api.operation
    when 'AssumeRole' then
      case
        when coalesce(actor.user.type, '') <> 'AWSService' then 'assume_role'
        when actor.invoked_by = 'ec2.amazonaws.com' then 'instance'
        else 'service'
      end
    when 'AssumeRoleWithSAML' then 'saml'
    when 'AssumeRoleWithWebIdentity' then 'web_identity'
    when 'AssumeRoot' then 'assume_root'
    when 'GetSessionToken' then 'session_token'
    when 'GetFederationToken' then 'federation_token'
    when 'ConsoleLogin' then 'console'
    when 'GetRoleCredentials' then 'sso'
  end as kind,
  coalesce(
    json_extract_scalar(api.request.data, '$.sourceIdentity'),
    unmapped['userIdentity.sessionContext.sourceIdentity']
  ) as source_identity,
  coalesce(is_mfa, actor.session.is_mfa, json_extract_scalar(api.request.data, '$.serialNumber') is not null) as is_mfa,
  coalesce(src_endpoint.ip, src_endpoint.domain, src_endpoint.svc_name) as source,
  agent_family(http_request.user_agent) as agent,
  metadata.uid as event_id,
  unmapped['sharedEventID'] as shared_event_id,
  part
from (
  select
    *,
    replace(json_extract_scalar(api.response.data, '$.credentials.expiration'), chr(8239), ' ') as expires
  from events
  where api.operation in (
      'AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity', 'AssumeRoot', 'GetSessionToken',
      'GetFederationToken', 'ConsoleLogin', 'GetRoleCredentials'
    )
    and status = 'Success'
)

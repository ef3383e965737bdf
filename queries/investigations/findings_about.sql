-- id:         findings_about
-- title:      Findings on a resource, a key, an address or an account
-- param:      account       the account's id; '' for none
-- param:      resource      ARN, id or name; '' for none
-- param:      key           access key id; '' for none
-- param:      name          the user's or role's name; '' for none
-- param:      ip            the address; '' for none
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
select
  finding_info.uid as uid,
  finding_info.title as title,
  finding_info.desc as desc,
  finding_info.types as types,
  finding_info.analytic.name as rule,
  finding_info.first_seen_time_dt as first_seen,
  finding_info.last_seen_time_dt as last_seen,
  finding_info.created_time_dt as created,
  time_dt as time,
  severity,
  severity_id,
  status,
  metadata.product.name as product,
  compliance.control as control,
  compliance.status as compliance,
  resource.uid as resource_uid,
  resource.type as resource_type,
  resources,
  evidences,
  accountid,
  region,
  metadata.uid as event_id,
  metadata.log_name as object,
  metadata.sequence as index,
  $resource <> '' and (resource.uid = $resource or any_match(resources, r -> r.uid = $resource)) as is_resource,
  $key <> '' and any_match(evidences, e -> e.actor.user.credential_uid = $key) as is_key,
  $name <> '' and any_match(evidences, e -> e.actor.user.name = $name) as is_principal,
  $ip <> '' and any_match(evidences, e -> e.src_endpoint.ip = $ip or e.dst_endpoint.ip = $ip) as is_address,
  accountid = $account as is_account
from findings
where time >= $window_start
  and time < $window_end
  and (
    accountid = $account
    or ($resource <> '' and (resource.uid = $resource or any_match(resources, r -> r.uid = $resource)))
    or ($key <> '' and any_match(evidences, e -> e.actor.user.credential_uid = $key))
    or ($name <> '' and any_match(evidences, e -> e.actor.user.name = $name))
    or ($ip <> '' and any_match(evidences, e -> e.src_endpoint.ip = $ip or e.dst_endpoint.ip = $ip))
  )
order by severity_id desc, time_dt desc
limit 300

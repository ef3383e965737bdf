-- id:         finding_states
-- title:      What findings are about and how they stand
-- columns:    schemas/finding_states.txt
select
  eventday,
  accountid,
  region,
  finding_info.uid as uid,
  time_dt,
  metadata.logged_time_dt as logged_time_dt,
  metadata.processed_time_dt as processed_time_dt,
  finding_info.first_seen_time_dt as first_seen,
  finding_info.last_seen_time_dt as last_seen,
  finding_info.created_time_dt as created,
  severity,
  severity_id,
  status,
  status_id,
  metadata.product.name as product,
  compliance.control as control,
  compliance.status as compliance,
  finding_info.analytic.name as rule,
  finding_info.title as title,
  finding_info.types as types,
  array_distinct(array_filter(
    array_concat(make_array(resource.uid), array_transform(resources, r -> coalesce(r['uid'], r['name']))),
    x -> x is not null
  )) as resources,
  array_distinct(array_filter(
    array_concat(make_array(f.actor.user.credential_uid), array_transform(evidences, e -> e['actor']['user']['credential_uid'])),
    x -> x is not null
  )) as credentials,
  array_distinct(array_filter(
    array_concat(make_array(f.actor.user.name), array_transform(evidences, e -> e['actor']['user']['name'])),
    x -> x is not null
  )) as users,
  array_distinct(array_filter(
    array_concat(
      make_array(src_endpoint.ip),
      array_transform(evidences, e -> e['src_endpoint']['ip']),
      array_transform(evidences, e -> e['dst_endpoint']['ip'])
    ),
    x -> x is not null
  )) as addresses,
  metadata.uid as event_id,
  metadata.log_name as object,
  metadata.sequence as index,
  part
from finding_events as f

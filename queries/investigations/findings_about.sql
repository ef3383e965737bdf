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
  uid,
  title,
  types,
  rule,
  first_seen,
  last_seen,
  created,
  time_dt as time,
  severity,
  severity_id,
  status,
  product,
  control,
  compliance,
  resources as about,
  accountid,
  region,
  event_id,
  object,
  index,
  is_resource,
  is_key,
  is_principal,
  is_address
from (
  select
    *,
    row_number() over (
      partition by uid order by time_dt desc, logged_time_dt desc, processed_time_dt desc, event_id
    ) as age
  from (
    select
      *,
      $resource <> '' and coalesce(contains(resources, $resource), false) as is_resource,
      $key <> '' and coalesce(contains(credentials, $key), false) as is_key,
      $name <> '' and coalesce(contains(users, $name), false) as is_principal,
      $ip <> '' and coalesce(contains(addresses, $ip), false) as is_address
    from finding_states
    where time_dt >= $window_start
  )
  where accountid = $account or is_resource or is_key or is_principal or is_address
)
where age = 1
  and time_dt < $window_end
order by severity_id desc, time_dt desc
limit 300

-- id:         denied_burst
-- title:      Burst of denied calls of many kinds
-- severity:   medium
-- technique:  T1580 Cloud Infrastructure Discovery
-- tactic:     TA0007 Discovery
-- lookback:   14d
-- known_gaps: who is denied more slowly than ten calls in five minutes is not found; calls refused by a VPC endpoint are in
--             the log of the endpoint's owner only
with fresh as (
  select
    coalesce(actor.session.issuer, actor.user.uid, actor.invoked_by) as principal,
    time,
    metadata.uid as uid
  from new_cloudtrail
  where regexp_like(api.response.error, 'AccessDenied|Unauthorized|Forbidden')
),
-- Each call is in two stretches of ten minutes, which begin five minutes after each other: any five minutes are in one.
stretches as (
  select principal, unnest([time / 300000, time / 300000 - 1]) as stretch
  from fresh
),
touched as (
  select principal, stretch
  from stretches
  group by principal, stretch
),
calls as (
  select
    coalesce(actor.session.issuer, actor.user.uid, actor.invoked_by) as principal,
    actor.user.uid as actor,
    actor.user.credential_uid as credential,
    coalesce(actor.user.account.uid, accountid) as account,
    region,
    src_endpoint.ip as source,
    coalesce(src_endpoint.ip, src_endpoint.domain) as origin,
    api.service.name || ' ' || api.operation as operation,
    metadata.uid as uid,
    time,
    time_dt
  from cloudtrail
  where time >= $near_start
    and time <= $near_end
    and regexp_like(api.response.error, 'AccessDenied|Unauthorized|Forbidden')
),
denied as (
  select *, unnest([time / 300000, time / 300000 - 1]) as stretch
  from calls
),
bursts as (
  select
    denied.principal,
    denied.stretch,
    cast(min(denied.time_dt) as date) as day,
    min(denied.actor) as actor,
    min(denied.credential) as credential,
    min(denied.account) as account,
    min(denied.region) as region,
    min(denied.source) as source,
    min(denied.origin) as origin,
    min(denied.time_dt) as first_seen,
    max(denied.time_dt) as last_seen,
    count(distinct denied.uid) as events,
    array_agg(distinct denied.operation) as operations,
    last_ids(denied.uid, denied.time) as event_ids
  from denied
  join touched
    on touched.principal = denied.principal
    and touched.stretch = denied.stretch
  group by denied.principal, denied.stretch
  having count(distinct denied.uid) >= 10
),
ranked as (
  select
    *,
    row_number() over (
      partition by principal, day order by cardinality(operations) desc, events desc, stretch
    ) as rank
  from bursts
),
widest as (
  select *
  from ranked
  where rank = 1
),
-- What the principal was denied before: a job that lacks a right lacks it each time.
before as (
  select
    widest.principal,
    widest.day,
    array_agg(distinct life.service || ' ' || life.operation) as operations
  from widest
  join footprints as life
    on life.principal = widest.principal
    and life.first_seen < widest.first_seen
  where life.first_seen >= $lookback_start
    and life.error is not null
  group by widest.principal, widest.day
),
compared as (
  select
    widest.*,
    coalesce(cardinality(before.operations), 0) as usual_operations,
    case
      when before.operations is null then widest.operations
      else array_except(widest.operations, before.operations)
    end as new_operations
  from widest
  left join before
    on before.principal = widest.principal
    and before.day = widest.day
)
select
  concat_ws(' ', principal, cast(day as varchar)) as fact,
  account,
  region,
  first_seen,
  last_seen,
  events,
  principal,
  actor,
  credential,
  source,
  concat('in 14 days denied ', cast(usual_operations as varchar), ' operations') as usual,
  concat(
    cast(events as varchar), ' calls denied within ten minutes from ', coalesce(origin, 'no address'), ', of ',
    cast(cardinality(new_operations) as varchar), ' operations never denied before: ', few(array_sort(new_operations))
  ) as news,
  event_ids
from compared
where cardinality(new_operations) >= 5

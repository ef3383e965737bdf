-- id:         root_activity
-- title:      Activity of a root user
-- severity:   high
-- technique:  T1078.004 Valid Accounts: Cloud Accounts
-- tactic:     TA0004 Privilege Escalation
-- lookback:   90d
-- known_gaps: none known
with acts as (
  select
    accountid,
    eventday,
    coalesce(src_endpoint.ip, src_endpoint.domain, 'no address') as origin,
    min(src_endpoint.ip) as source,
    min(region) as region,
    min(actor.user.uid) as actor,
    min(actor.user.credential_uid) as credential,
    min(time_dt) as first_seen,
    max(time_dt) as last_seen,
    count(distinct metadata.uid) as events,
    array_sort(array_agg(distinct api.operation)) as operations,
    last_ids(metadata.uid, time) as event_ids
  from new_cloudtrail
  where actor.user.type = 'Root'
    and actor.invoked_by is null
    and coalesce(metadata.event_code, 'AwsApiCall') <> 'AwsServiceEvent'
  group by accountid, eventday, coalesce(src_endpoint.ip, src_endpoint.domain, 'no address')
),
before as (
  select
    acts.accountid,
    acts.eventday,
    acts.origin,
    max(life.first_seen) as last_seen,
    count(distinct life.eventday) as days
  from acts
  join footprints as life
    on life.accountid = acts.accountid
    and life.first_seen < acts.first_seen
  where life.first_seen >= $lookback_start
    and life.identity = 'Root'
    and life.invoked_by is null
  group by acts.accountid, acts.eventday, acts.origin
)
select
  concat_ws(' ', acts.accountid, acts.origin, acts.eventday) as fact,
  acts.accountid as account,
  acts.region as region,
  acts.first_seen as first_seen,
  acts.last_seen as last_seen,
  acts.events as events,
  acts.actor as principal,
  acts.actor as actor,
  acts.credential as credential,
  acts.source as source,
  case
    when before.days > 0 then concat(
      'on ', cast(before.days as varchar), ' of 90 days, last on ', to_char(before.last_seen, '%Y-%m-%d')
    )
    else 'none in 90 days'
  end as usual,
  concat(cast(acts.events as varchar), ' calls from ', acts.origin, ': ', few(acts.operations)) as news,
  acts.event_ids as event_ids
from acts
left join before
  on before.accountid = acts.accountid
  and before.eventday = acts.eventday
  and before.origin = acts.origin

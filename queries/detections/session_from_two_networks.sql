-- id:         session_from_two_networks
-- title:      One session's credential used from two networks within half an hour
-- severity:   high
-- technique:  T1550.001 Use Alternate Authentication Material: Application Access Token
-- tactic:     TA0008 Lateral Movement
-- lookback:   30m
-- known_gaps: mobile networks and pools of egress addresses change networks as well; an IPv4 and an IPv6 address of one
--             host are not told apart from two hosts, so that only networks of one kind are compared
with
-- Few sessions are in two networks at all: only their calls are held.
several as (
  select actor.user.credential_uid as credential
  from cloudtrail
  where time >= $near_start
    and time <= $near_end
    and actor.user.credential_uid like 'ASIA%'
    and ip_info(src_endpoint.ip).kind <> 'private' -- reads less
  group by actor.user.credential_uid
  having min(network_of(src_endpoint.ip)) <> max(network_of(src_endpoint.ip)) -- reads less
),
fresh as (
  select
    actor.user.credential_uid as credential,
    network_of(src_endpoint.ip) as network,
    strpos(src_endpoint.ip, ':') > 0 as is_v6,
    date_trunc('minute', time_dt) as minute,
    min(src_endpoint.ip) as source,
    min(coalesce(actor.user.account.uid, accountid)) as account,
    min(region) as region,
    min(actor.session.issuer) as issuer,
    min(actor.user.uid) as actor,
    min(time_dt) as first_seen,
    max(time_dt) as last_seen,
    count(distinct metadata.uid) as events,
    max(metadata.uid) as event_id
  from new_cloudtrail
  join several on several.credential = actor.user.credential_uid
  where ip_info(src_endpoint.ip).kind <> 'private'
  group by
    actor.user.credential_uid, network_of(src_endpoint.ip), strpos(src_endpoint.ip, ':') > 0,
    date_trunc('minute', time_dt)
),
near as (
  select
    actor.user.credential_uid as credential,
    network_of(src_endpoint.ip) as network,
    strpos(src_endpoint.ip, ':') > 0 as is_v6,
    date_trunc('minute', time_dt) as minute,
    min(src_endpoint.ip) as source,
    min(time_dt) as first_seen,
    max(time_dt) as last_seen
  from cloudtrail
  join several on several.credential = actor.user.credential_uid
  where time >= $near_start
    and time <= $near_end
    and ip_info(src_endpoint.ip).kind <> 'private'
  group by
    actor.user.credential_uid, network_of(src_endpoint.ip), strpos(src_endpoint.ip, ':') > 0,
    date_trunc('minute', time_dt)
),
pairs as (
  select
    fresh.*,
    near.network as other_network,
    near.source as other_source
  from fresh
  join near
    on near.credential = fresh.credential
    and near.network <> fresh.network
    and near.is_v6 = fresh.is_v6
    and near.last_seen >= fresh.first_seen - interval '30 minutes'
    and near.first_seen <= fresh.last_seen + interval '30 minutes'
)
select
  concat_ws(' ', credential, cast(cast(min(first_seen) as date) as varchar)) as fact,
  min(account) as account,
  min(region) as region,
  min(first_seen) as first_seen,
  max(last_seen) as last_seen,
  max(events) as events,
  min(coalesce(issuer, actor)) as principal,
  min(actor) as actor,
  credential,
  max(source) as source,
  'a session stays in one network' as usual,
  concat('from ', few(array_sort(array_agg(distinct network))), ' within 30 minutes of ',
    few(array_sort(array_agg(distinct other_network)))) as news,
  array_sort(array_agg(distinct event_id)) as event_ids
from pairs
group by credential

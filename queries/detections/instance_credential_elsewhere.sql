-- id:         instance_credential_elsewhere
-- title:      Credential of an instance's role used off its instance
-- severity:   high
-- technique:  T1552.005 Unsecured Credentials: Cloud Instance Metadata API
-- tactic:     TA0006 Credential Access
-- lookback:   14d
-- known_gaps: an instance that was never seen calling before has no place to be off from; use through a VPC endpoint
--             of somebody else shows a private address and is not looked at
with used as (
  select
    actor.user.uid as actor,
    network_of(src_endpoint.ip) as network,
    min(regexp_replace(actor.user.uid, '^.*/', '')) as instance,
    min(src_endpoint.ip) as source,
    min(actor.user.credential_uid) as credential,
    min(actor.session.issuer) as issuer,
    min(coalesce(actor.user.account.uid, accountid)) as account,
    min(region) as region,
    min(time_dt) as first_seen,
    max(time_dt) as last_seen,
    count(distinct metadata.uid) as events,
    array_sort(array_agg(distinct api.operation)) as operations,
    last_ids(metadata.uid, time) as event_ids
  from new_cloudtrail
  where regexp_like(actor.user.uid, ':assumed-role/.*/i-[0-9a-f]{8,17}$')
    and ip_info(src_endpoint.ip).kind <> 'private'
  group by actor.user.uid, network_of(src_endpoint.ip)
),
life as (
  select actor, network, first_seen
  from footprints
  where first_seen >= $lookback_start
    and network is not null
),
-- Where the instance called from before it called from there.
home as (
  select
    used.actor,
    used.network,
    array_sort(array_agg(distinct life.network)) as networks
  from used
  join life
    on life.actor = used.actor
    and life.first_seen < used.first_seen
  group by used.actor, used.network
),
-- Networks from which it, or any other instance, called before: a new way out of a VPC serves all its instances.
known as (
  select used.actor, used.network
  from used
  join life
    on life.network = used.network
    and life.first_seen < used.first_seen
    and regexp_like(life.actor, ':assumed-role/.*/i-[0-9a-f]{8,17}$')
  group by used.actor, used.network
),
-- Addresses it was given.
leased as (
  select used.actor, used.network
  from used
  join ip_lease
    on ip_lease.instance = used.instance
    and network_of(ip_lease.ip) = used.network
  group by used.actor, used.network
)
select
  concat_ws(' ', used.actor, used.network, cast(cast(used.first_seen as date) as varchar)) as fact,
  used.account as account,
  used.region as region,
  used.first_seen as first_seen,
  used.last_seen as last_seen,
  used.events as events,
  coalesce(used.issuer, used.actor) as principal,
  used.actor as actor,
  used.credential as credential,
  used.source as source,
  concat('for 14 days the instance ', used.instance, ' called from ', few(home.networks)) as usual,
  concat(cast(used.events as varchar), ' calls from ', used.source, ': ', few(used.operations)) as news,
  used.event_ids as event_ids
from used
join home
  on home.actor = used.actor
  and home.network = used.network
left join known
  on known.actor = used.actor
  and known.network = used.network
left join leased
  on leased.actor = used.actor
  and leased.network = used.network
where known.actor is null
  and leased.actor is null

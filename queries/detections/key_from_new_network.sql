-- id:         key_from_new_network
-- title:      Long-term access key used from a new network with a new tool or new operations
-- severity:   high
-- technique:  T1078.004 Valid Accounts: Cloud Accounts
-- tactic:     TA0001 Initial Access
-- lookback:   90d
-- known_gaps: a key without any history in the lookback has nothing to differ from
with used as (
  select
    actor.user.credential_uid as credential,
    network_of(src_endpoint.ip) as network,
    min(src_endpoint.ip) as source,
    min(coalesce(actor.user.account.uid, accountid)) as account,
    min(region) as region,
    min(actor.session.issuer) as issuer,
    min(actor.user.uid) as actor,
    min(time_dt) as first_seen,
    max(time_dt) as last_seen,
    count(distinct metadata.uid) as events,
    last_ids(metadata.uid, time) as event_ids
  from new_cloudtrail
  where actor.user.credential_uid like 'AKIA%'
  group by actor.user.credential_uid, network_of(src_endpoint.ip)
),
life as (
  select
    credential,
    network,
    coalesce(agent, 'no agent') as agent,
    service || ' ' || operation as operation,
    first_seen
  from footprints
  where first_seen >= $lookback_start
),
-- When each key came from the network for the first time: a day ago at most.
arrived as (
  select used.credential, used.network, min(life.first_seen) as since
  from used
  join life
    on life.credential = used.credential
    and life.network = used.network
  group by used.credential, used.network, used.first_seen
  having min(life.first_seen) >= used.first_seen - interval '1 day'
),
before as (
  select
    arrived.credential,
    arrived.network,
    array_sort(array_agg(distinct life.agent)) as agents,
    array_sort(array_agg(distinct coalesce(life.network, 'no address'))) as networks,
    array_agg(distinct life.operation) as operations
  from arrived
  join life
    on life.credential = arrived.credential
    and life.first_seen < arrived.since
  group by arrived.credential, arrived.network
),
there as (
  select
    arrived.credential,
    arrived.network,
    array_agg(distinct life.agent) as agents,
    array_agg(distinct life.operation) as operations
  from arrived
  join life
    on life.credential = arrived.credential
    and life.network = arrived.network
  group by arrived.credential, arrived.network
),
compared as (
  select
    arrived.credential,
    arrived.network,
    arrived.since,
    before.networks,
    before.agents,
    before.operations,
    array_sort(array_except(there.agents, before.agents)) as new_agents,
    array_sort(array_except(there.operations, before.operations)) as new_operations
  from arrived
  join before
    on before.credential = arrived.credential
    and before.network = arrived.network
  join there
    on there.credential = arrived.credential
    and there.network = arrived.network
)
select
  concat_ws(' ', used.credential, used.network, cast(cast(compared.since as date) as varchar)) as fact,
  used.account as account,
  used.region as region,
  used.first_seen as first_seen,
  used.last_seen as last_seen,
  used.events as events,
  coalesce(used.issuer, used.actor) as principal,
  used.actor as actor,
  used.credential as credential,
  used.source as source,
  concat(
    'for 90 days from ', few(compared.networks), ' with ', few(compared.agents), ', ',
    cast(cardinality(compared.operations) as varchar), ' operations'
  ) as usual,
  concat_ws(
    ', ',
    concat('from ', used.network),
    case when cardinality(compared.new_agents) > 0 then concat('with ', few(compared.new_agents)) end,
    case
      when cardinality(compared.new_operations) > 0 then concat(
        cast(cardinality(compared.new_operations) as varchar), ' new operations: ', few(compared.new_operations)
      )
    end
  ) as news,
  used.event_ids as event_ids
from used
join compared
  on compared.credential = used.credential
  and compared.network = used.network
where cardinality(compared.new_agents) > 0
  or cardinality(compared.new_operations) >= 2

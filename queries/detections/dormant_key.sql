-- id:         dormant_key
-- title:      Long-term access key used again after two months without a call
-- severity:   medium
-- technique:  T1078.004 Valid Accounts: Cloud Accounts
-- tactic:     TA0003 Persistence
-- lookback:   400d
-- known_gaps: a key whose last call is older than the lookback counts as new, not as dormant
with used as (
  select
    actor.user.credential_uid as credential,
    min(src_endpoint.ip) as source,
    min(coalesce(src_endpoint.ip, src_endpoint.domain)) as origin,
    min(agent_family(http_request.user_agent)) as agent,
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
  group by actor.user.credential_uid
),
before as (
  select
    used.credential,
    -- Of a day that goes on behind the first new call, only its beginning is known to be before that.
    max(case when life.last_seen < used.first_seen then life.last_seen else life.first_seen end) as last_seen,
    count(distinct life.eventday) as days
  from used
  join footprints as life
    on life.credential = used.credential
    and life.first_seen < used.first_seen
  where life.first_seen >= $lookback_start
  group by used.credential
)
select
  concat_ws(' ', used.credential, cast(cast(used.first_seen as date) as varchar)) as fact,
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
    'no call since ', to_char(before.last_seen, '%Y-%m-%d'), ', on ', cast(before.days as varchar), ' days before that'
  ) as usual,
  concat(cast(used.events as varchar), ' calls from ', coalesce(used.origin, 'no address'), ' with ',
    coalesce(used.agent, 'no agent')) as news,
  used.event_ids as event_ids
from used
join before on before.credential = used.credential
where before.last_seen <= used.first_seen - interval '60 days'

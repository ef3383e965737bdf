-- id:         flow_lease
-- title:      Which interface and instance held an address, by the flows it had
-- columns:    schemas/ip_lease.txt
with ends as (
  -- Where the direction is not logged, either end may be the interface's own.
  select
    eventday, accountid, region, part, time_dt, end_time_dt,
    src_endpoint.ip as ip,
    coalesce(src_endpoint.interface_uid, dst_endpoint.interface_uid) as interface,
    coalesce(src_endpoint.instance_uid, dst_endpoint.instance_uid) as instance,
    coalesce(src_endpoint.vpc_uid, dst_endpoint.vpc_uid) as vpc,
    coalesce(connection_info.direction_id, 0) as direction
  from flow_events
  where coalesce(connection_info.direction_id, 0) <> 1
  union all
  select
    eventday, accountid, region, part, time_dt, end_time_dt,
    dst_endpoint.ip as ip,
    coalesce(dst_endpoint.interface_uid, src_endpoint.interface_uid) as interface,
    coalesce(dst_endpoint.instance_uid, src_endpoint.instance_uid) as instance,
    coalesce(dst_endpoint.vpc_uid, src_endpoint.vpc_uid) as vpc,
    coalesce(connection_info.direction_id, 0) as direction
  from flow_events
  where coalesce(connection_info.direction_id, 0) <> 2
),
addresses as (
  select
    eventday, accountid, region, part, ip, vpc, interface, instance, direction,
    count(*) as flows,
    min(time_dt) as first_seen,
    max(coalesce(end_time_dt, time_dt)) as last_seen
  from ends
  where ip is not null and interface is not null
  group by eventday, accountid, region, part, ip, vpc, interface, instance, direction
),
compared as (
  select
    *,
    sum(flows) over (partition by eventday, accountid, region, part, interface, direction) as ends_of_all
  from addresses
)
select
  eventday,
  accountid,
  region,
  ip,
  not regexp_like(ip, '^(10[.]|127[.]|169[.]254[.]|192[.]168[.]|172[.](1[6-9]|2[0-9]|3[01])[.]|f[cde])') as is_public,
  vpc,
  interface,
  instance,
  'flow' as basis,
  part,
  first_seen,
  last_seen
from compared
-- The one address that is in every flow of an interface is its own.
where direction <> 0 or (flows > 1 and flows * 2 = ends_of_all)

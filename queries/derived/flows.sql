-- id:         flows
-- title:      Who talked to whom
-- columns:    schemas/flows.txt
select
  eventday,
  accountid,
  region,
  coalesce(src_endpoint.interface_uid, dst_endpoint.interface_uid) as interface,
  coalesce(src_endpoint.instance_uid, dst_endpoint.instance_uid) as instance,
  coalesce(src_endpoint.vpc_uid, dst_endpoint.vpc_uid) as vpc,
  src_endpoint.ip as src_ip,
  dst_endpoint.ip as dst_ip,
  -- Of the two ports the lower one is the service's; the other one changes with each connection.
  least(src_endpoint.port, dst_endpoint.port) as port,
  connection_info.protocol_num as protocol,
  action,
  part,
  -- A row of zero flows says that the interface was there and had none, or that records of it were skipped.
  count(coalesce(src_endpoint.ip, dst_endpoint.ip)) as flows,
  sum(traffic.packets) as packets,
  sum(traffic.bytes) as bytes,
  min(time_dt) as first_seen,
  max(coalesce(end_time_dt, time_dt)) as last_seen
from flow_events
group by
  eventday, accountid, region, interface, instance, vpc, src_ip, dst_ip, port, protocol, action, part

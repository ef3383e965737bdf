-- id:         flows_of_address
-- title:      Which of our interfaces an address talked to, day by day
-- param:      ip            the address
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
select
  accountid,
  instance,
  interface,
  vpc,
  src_ip,
  dst_ip,
  port,
  protocol,
  action,
  flows,
  packets,
  bytes,
  first_seen,
  last_seen
from flows
where (src_ip = $ip or dst_ip = $ip)
  and last_seen >= $window_start
  and first_seen < $window_end
order by bytes desc
limit 1000

-- id:         flows_of_instance
-- title:      Whom an instance or an interface talked to, day by day
-- param:      instance      i-… or eni-…
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
where (instance = $instance or interface = $instance)
  and last_seen >= $window_start
  and first_seen < $window_end
order by bytes desc
limit 1000

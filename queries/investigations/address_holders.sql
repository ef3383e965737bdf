-- id:         address_holders
-- title:      Which of our instances and interfaces held an address
-- param:      ip            the address
-- param:      window_start  first moment, e.g. 2025-01-01T08:00Z
-- param:      window_end    the moment after the last
select
  accountid,
  ip,
  vpc,
  interface,
  instance,
  is_public,
  basis,
  min(first_seen) as first_seen,
  max(last_seen) as last_seen
from ip_lease
where ip = $ip
  and last_seen >= $window_start
  and first_seen < $window_end
group by accountid, ip, vpc, interface, instance, is_public, basis
order by last_seen desc
limit 100

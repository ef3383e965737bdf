-- id:         ip_lease
-- title:      Which interface and instance held an address
-- columns:    schemas/ip_lease.txt
select
  eventday,
  accountid,
  region,
  lease.ip as ip,
  lease.is_public as is_public,
  lease.vpc as vpc,
  lease.interface as interface,
  lease.instance as instance,
  operation as basis,
  part,
  min(time_dt) as first_seen,
  max(time_dt) as last_seen
from (
  select
    eventday,
    accountid,
    region,
    unnest(address_leases(api.request.data, api.response.data)) as lease,
    api.operation as operation,
    part,
    time_dt
  from events
  where api.service.name = 'ec2.amazonaws.com'
    and status = 'Success'
    and api.operation in (
      'RunInstances', 'CreateNetworkInterface', 'AssignPrivateIpAddresses', 'AllocateAddress', 'AssociateAddress',
      'DisassociateAddress', 'ReleaseAddress', 'CreateNatGateway'
    )
)
group by eventday, accountid, region, ip, is_public, vpc, interface, instance, basis, part

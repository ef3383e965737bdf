-- id:         address_info
-- title:      What is known of an address beside the logs: country, network, lists it stands in
-- param:      ip            the address
-- unbounded:  nothing of the lake is read
select
  ip_info($ip).kind as kind,
  ip_info($ip).country as country,
  ip_info($ip).country_basis as country_basis,
  ip_info($ip).city as city,
  ip_info($ip).asn as asn,
  ip_info($ip).as_name as as_name,
  ip_info($ip).aws_service as aws_service,
  ip_info($ip).aws_region as aws_region,
  ip_info($ip).indicator as indicator,
  ip_info($ip).indicator_list as indicator_list,
  ip_info($ip).indicator_label as indicator_label

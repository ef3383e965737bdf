-- id:         network_prevalence
-- title:      How many principals of an account come from a network, and how many there are
-- param:      account       the account's id
-- param:      network       /24 or /48 as footprints has it, e.g. 192.0.2.0/24
-- param:      principal     the one who is not counted
-- param:      first_day     first day, e.g. 20250101
-- param:      last_day      last day
select
  count(distinct case when network = $network then principal end) as others,
  count(distinct principal) as of
from footprints
where accountid = $account
  and principal <> $principal
  and eventday >= $first_day
  and eventday <= $last_day

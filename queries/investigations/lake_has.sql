-- id:         lake_has
-- title:      Which kinds of logs the lake has at all
-- unbounded:  a row of each is looked for and no more
select
  (select count(*) from (select 1 from cloudtrail limit 1)) as cloudtrail,
  (select count(*) from (select 1 from vpc_flow limit 1)) as vpc_flow,
  (select count(*) from (select 1 from finding_history limit 1)) as findings

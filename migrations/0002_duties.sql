-- Work that one process does for all. `holder` is at it until `lease_until`; it is due again a while after `done_at`.
create table duties (
    duty        text primary key,
    holder      text not null,
    lease_until bigint not null,
    done_at     bigint not null
);

-- Batches are asked for their claims alone; of a year's objects, few are claimed.
drop index objects_by_batch;
create index objects_claimed_by_batch on objects (batch) where state = 'claimed';

-- A lake has millions of settled files: what settling, sweeping and queries ask for is found without reading them all.
create index files_hot on files (source_name, event_day) where state = 'visible' and kind = 'hot';
-- `merged`: settling wrote it, so that with the other files of its merge there is nothing to merge any more.
alter table files add column merged bigint not null default 0;
create index files_settled on files (source_name, event_day, account, region, batch, merged)
    where state = 'visible' and kind = 'settled';
create index files_planned on files (changed_at) where state = 'planned';
create index files_retired on files (changed_at) where state = 'retired';

-- Work that one process does for all. `holder` is at it until `lease_until`; it is due again a while after `done_at`.
create table duties (
    duty        text primary key,
    holder      text not null,
    lease_until bigint not null,
    done_at     bigint not null
);

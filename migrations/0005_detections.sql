-- What `ashiato detect` has judged. Runs are numbered as they begin; `done` is the last that came to its end.
-- Objects and files bear the number of a run: what bears none, or one after `done`, is yet to be judged.
create table detection_runs (
    lane  bigint primary key check (lane = 1),
    begun bigint not null,
    done  bigint not null
);
insert into detection_runs (lane, begun, done) values (1, 0, 0);

alter table objects add column judged_in bigint;
create index objects_unjudged on objects (state) where judged_in is null;
create index objects_judged on objects (judged_in) where judged_in is not null;
alter table files add column judged_in bigint;

-- Findings that were told: the same facts are told once.
create table detections (
    uid      text primary key,
    rule     text not null,
    run      bigint not null,
    found_at bigint not null
);

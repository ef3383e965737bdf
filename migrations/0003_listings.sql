-- Prefixes of a bucket that a run has listed and read to their end, while the run lasts: one that was stopped goes on
-- without listing them again. A run that came to its end forgets them.
create table listings (
    bucket      text not null,
    prefix      text not null,
    finished_at bigint not null,
    primary key (bucket, prefix)
);

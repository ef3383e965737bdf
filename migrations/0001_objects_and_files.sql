-- Types are those that SQLite and PostgreSQL read alike. Times are epoch milliseconds.

-- One row an object of the archive. `batch` owns it while `state` is 'claimed'.
create table objects (
    bucket       text not null,
    object_key   text not null,
    version      text not null,
    state        text not null check (state in ('claimed', 'committed', 'failed')),
    batch        text not null,
    lease_until  bigint not null,
    source       text not null,
    account      text,
    region       text,
    records      bigint not null default 0,
    events       bigint not null default 0,
    set_aside    bigint not null default 0,
    skipped      bigint not null default 0,
    stored_bytes bigint not null default 0,
    plain_bytes  bigint not null default 0,
    time_max     bigint,
    reason       text,
    finished_at  bigint,
    primary key (bucket, object_key, version)
);
create index objects_by_batch on objects (batch);

-- One row a file of the lake. Only 'visible' files are read. A settled file is 'planned' before it is
-- written, since Athena would read it from that moment on; 'retired' files wait to be deleted.
create table files (
    file_key     text primary key,
    source_name  text not null,
    kind         text not null check (kind in ('hot', 'settled')),
    event_day    bigint not null,
    account      text,
    region       text,
    state        text not null check (state in ('planned', 'visible', 'retired')),
    row_count    bigint not null,
    byte_count   bigint not null,
    time_min     bigint not null,
    time_max     bigint not null,
    batch        text not null,
    changed_at   bigint not null
);
create index files_by_table_and_day on files (source_name, event_day, state);

-- Which accounts and Regions a hot file holds rows of.
create table slices (
    file_key  text not null references files (file_key) on delete cascade,
    account   text not null,
    region    text not null,
    row_count bigint not null,
    primary key (file_key, account, region)
);

-- What settling did: rows in, rows out, duplicates removed.
create table settlings (
    batch       text not null,
    source_name text not null,
    event_day   bigint not null,
    rows_in     bigint not null,
    rows_out    bigint not null,
    duplicates  bigint not null,
    settled_at  bigint not null,
    primary key (batch, source_name, event_day)
);

-- One row a record, or rest of an object, that was set aside.
create table quarantine (
    entry_file   text not null,
    entry_line   bigint not null,
    bucket       text not null,
    object_key   text not null,
    version      text not null,
    record_index bigint not null,
    source       text not null,
    reason       text not null,
    state        text not null check (state in ('open', 'retried')),
    set_aside_at bigint not null,
    primary key (entry_file, entry_line)
);

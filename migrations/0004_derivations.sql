-- Derived tables: one row a run over files of one origin and day, and the files that came of it. Their names are
-- here before they are in the store. A derivation counts for the files that name it, while those are visible.
create table derivations (
    derivation text primary key,
    origin     text not null,
    event_day  bigint not null,
    state      text not null check (state in ('planned', 'visible', 'retired')),
    parts      bigint not null,
    changed_at bigint not null
);
create index derivations_by_day on derivations (origin, event_day, state);

create table derived_files (
    file_key   text primary key,
    derivation text not null references derivations (derivation) on delete cascade,
    derived    text not null,
    row_count  bigint not null,
    byte_count bigint not null
);
create index derived_files_by_derivation on derived_files (derivation, derived);

-- Which derivation has read a file, and as which number.
alter table files add column derivation text;
alter table files add column part bigint;
create index files_by_derivation on files (derivation, part) where derivation is not null;
create index files_underived on files (source_name, event_day) where state = 'visible' and derivation is null;

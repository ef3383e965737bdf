-- How many files a derivation still counts for: what a query asks of each derivation without counting files.
alter table derivations add column live bigint not null default 0;
update derivations set live = (
    select count(*) from files where files.derivation = derivations.derivation and files.state = 'visible');

-- How many files of a table are visible, and their bytes, is read from the index alone.
drop index files_by_table_and_day;
create index files_by_table_and_day on files (source_name, event_day, state, byte_count);

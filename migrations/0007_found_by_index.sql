-- What is looked for now and then among all there ever was is found by an index of what is left of it.
create index files_unjudged on files (event_day) where state = 'visible' and judged_in is null;
create index objects_unread on objects (state) where state = 'failed' or state = 'claimed' and reason is not null;
create index derivations_by_state on derivations (state, changed_at);

-- Nothing is seeded: no users, no keys, no secrets. The first models are trained from the bundled datasets on the
-- path every user takes, and the first admin is added from the command line.
select 1;

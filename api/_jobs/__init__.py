"""The offline side: what takes longer than an answer may. Runs on Postgres, in workers, never in a function."""

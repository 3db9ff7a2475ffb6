"""All reads and writes in Supabase. The only place that knows the names of tables, functions and buckets."""

-- Events older than so many months go, a partition at a time: no DELETE, no VACUUM.
--   psql -d lineside -v months=24 -f retention.sql
-- The ledger stays: what has gone is not asked for again, and does not count as missing.
\set ON_ERROR_STOP on
SET search_path = lineside, public;
SELECT format('DROP TABLE %s', inhrelid::regclass)
FROM pg_inherits
WHERE inhparent = 'events'::regclass
  AND inhrelid::regclass::text ~ 'events_[0-9]{4}_[0-9]{2}$'
  AND to_date(right(inhrelid::regclass::text, 7), 'YYYY_MM')
    < date_trunc('month', now()) - make_interval(months => :months)
ORDER BY 1
\gexec

-- Who may do what in the archive. Run once, as a superuser, in the archive's database:
--   createdb lineside && psql -d lineside -f roles.sql
-- Then give both a way to sign in, e.g. \password lineside_collector
\set ON_ERROR_STOP on
BEGIN;

-- Makes its tables and monthly partitions itself, so it owns the schema.
CREATE ROLE lineside_collector LOGIN;
CREATE SCHEMA lineside AUTHORIZATION lineside_collector;
ALTER ROLE lineside_collector SET search_path = lineside;

-- Grafana, reports, people: reads, changes nothing, and may not keep the server busy.
CREATE ROLE lineside_reader LOGIN;
GRANT USAGE ON SCHEMA lineside TO lineside_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA lineside TO lineside_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE lineside_collector IN SCHEMA lineside
  GRANT SELECT ON TABLES TO lineside_reader;
ALTER ROLE lineside_reader SET search_path = lineside;
ALTER ROLE lineside_reader SET default_transaction_read_only = on;
ALTER ROLE lineside_reader SET statement_timeout = '60s';

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
COMMIT;

-- An event is known by source, epoch and sequence; `time` is in the key only because
-- partitions demand it. The collector makes the monthly partitions as events come.
CREATE TABLE events(
  source text COLLATE "C" NOT NULL,
  epoch text COLLATE "C" NOT NULL,
  sequence bigint NOT NULL,
  type text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  time timestamptz NOT NULL,
  recorded_time timestamptz NOT NULL,
  received_time timestamptz NOT NULL,
  corrected_time timestamptz NOT NULL,
  suspect text NOT NULL,
  boot_id text NOT NULL,
  clock_quality text NOT NULL,
  data jsonb NOT NULL,
  PRIMARY KEY(source, epoch, sequence, time)
) PARTITION BY RANGE(time);
COMMENT ON TABLE events IS 'every event of every station, once';
COMMENT ON COLUMN events.time IS 'when it happened, by the station''s clock';
COMMENT ON COLUMN events.corrected_time IS
  'time by the collector''s clock where the station''s is known to be wrong, else time';
COMMENT ON COLUMN events.suspect IS 'why its time is not to be believed; empty where it is';
-- Events come roughly in the order of time: a summary per block range finds a day at once
-- and costs almost nothing to keep.
CREATE INDEX events_time ON events USING brin(time);
CREATE INDEX events_alarms ON events(source, subject, sequence)
  WHERE type >= 'lineside.alarm.' AND type < 'lineside.alarm/';

-- One row per epoch of a source: `state` is the ledger, the rest is made from it to be read.
CREATE TABLE streams(
  source text COLLATE "C" NOT NULL,
  epoch text COLLATE "C" NOT NULL,
  state text NOT NULL,
  received bigint NOT NULL DEFAULT 0,
  first bigint,
  last bigint,
  missing jsonb NOT NULL DEFAULT '[]',
  missing_count bigint NOT NULL DEFAULT 0,
  told_dropped bigint NOT NULL DEFAULT 0,
  unexplained bigint NOT NULL DEFAULT 0,
  asks integer NOT NULL DEFAULT 0,
  ask_at double precision,
  opened timestamptz,
  last_seen timestamptz,
  behind_s double precision,
  clock_offset_s double precision,
  PRIMARY KEY(source, epoch)
) WITH (fillfactor = 50);
COMMENT ON TABLE streams IS 'per source and epoch: received, missing, told as dropped';

CREATE TABLE rejected(
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  digest text NOT NULL UNIQUE,
  topic text NOT NULL,
  reason text NOT NULL,
  raw bytea NOT NULL,
  size bigint NOT NULL,
  first_time timestamptz NOT NULL,
  last_time timestamptz NOT NULL,
  times bigint NOT NULL DEFAULT 1
);
CREATE INDEX rejected_by_topic ON rejected(topic, id);

-- Counts of all that was ever turned away; `rejected` itself is bounded.
CREATE TABLE rejected_totals(
  topic text PRIMARY KEY,
  times bigint NOT NULL
);

-- Times are UTC as text, "2026-01-01T12:00:00.123Z": they sort, and SQLite's functions read
-- them. An event is known by source, epoch and sequence, never by its time.
CREATE TABLE events(
  source TEXT NOT NULL,
  epoch TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  type TEXT NOT NULL,
  subject TEXT NOT NULL,
  time TEXT NOT NULL,
  recorded_time TEXT NOT NULL,
  received_time TEXT NOT NULL,
  corrected_time TEXT NOT NULL,
  suspect TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  clock_quality TEXT NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY(source, epoch, sequence)
);
CREATE INDEX events_by_type ON events(type, time);

-- One row per epoch of a source: `state` is the ledger, the rest is made from it to be read.
CREATE TABLE streams(
  source TEXT NOT NULL,
  epoch TEXT NOT NULL,
  state TEXT NOT NULL,
  received INTEGER NOT NULL DEFAULT 0,
  first INTEGER,
  last INTEGER,
  missing TEXT NOT NULL DEFAULT '[]',
  missing_count INTEGER NOT NULL DEFAULT 0,
  told_dropped INTEGER NOT NULL DEFAULT 0,
  unexplained INTEGER NOT NULL DEFAULT 0,
  asks INTEGER NOT NULL DEFAULT 0,
  ask_at REAL,
  opened TEXT,
  last_seen TEXT,
  behind_s REAL,
  clock_offset_s REAL,
  PRIMARY KEY(source, epoch)
) WITHOUT ROWID;
CREATE INDEX streams_to_ask ON streams(ask_at) WHERE ask_at IS NOT NULL;

CREATE TABLE rejected(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  digest TEXT NOT NULL UNIQUE,
  topic TEXT NOT NULL,
  reason TEXT NOT NULL,
  raw BLOB NOT NULL,
  size INTEGER NOT NULL,
  first_time TEXT NOT NULL,
  last_time TEXT NOT NULL,
  times INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX rejected_by_topic ON rejected(topic, id);

-- Counts of all that was ever turned away; `rejected` itself is bounded.
CREATE TABLE rejected_totals(
  topic TEXT PRIMARY KEY,
  times INTEGER NOT NULL
) WITHOUT ROWID;

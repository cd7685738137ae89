"""The tables of a station's file, as steps from one schema version to the next.

Never edit a step that has been released: add one. `PRAGMA user_version` counts them.
"""

VERSION_1 = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE records(
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  wall_time REAL NOT NULL,
  monotonic REAL NOT NULL,
  boot_id TEXT NOT NULL,
  body TEXT NOT NULL,
  picture TEXT
);
CREATE INDEX records_by_kind ON records(kind);
CREATE INDEX records_by_time ON records(kind, wall_time);
-- A part has one verdict: the subject must not come again within one start of the station.
CREATE UNIQUE INDEX one_verdict ON records(boot_id, subject) WHERE kind = 'verdict';

CREATE TABLE labels(
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  record_seq INTEGER NOT NULL REFERENCES records(seq) ON DELETE CASCADE,
  wall_time REAL NOT NULL,
  user TEXT NOT NULL,
  label TEXT NOT NULL,
  reason TEXT NOT NULL
);
CREATE INDEX labels_by_record ON labels(record_seq);

CREATE TABLE pictures(
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  bytes INTEGER NOT NULL,
  wall_time REAL NOT NULL
);

CREATE TABLE outbox(
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  event INTEGER NOT NULL,
  sink TEXT NOT NULL,
  class TEXT NOT NULL,
  priority INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending',
  wall_time REAL NOT NULL,
  monotonic REAL NOT NULL,
  boot_id TEXT NOT NULL,
  crc32 INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  payload BLOB NOT NULL
);
CREATE INDEX outbox_next ON outbox(sink, state, priority);
CREATE INDEX outbox_by_priority ON outbox(priority);
CREATE INDEX outbox_dead ON outbox(state) WHERE state = 'dead';

-- Kept by triggers, so that the quota and the backlog never need a scan of the outbox.
CREATE TABLE outbox_size(
  sink TEXT NOT NULL, state TEXT NOT NULL, priority INTEGER NOT NULL,
  events INTEGER NOT NULL, bytes INTEGER NOT NULL,
  PRIMARY KEY(sink, state, priority)
) WITHOUT ROWID;
CREATE TRIGGER outbox_in AFTER INSERT ON outbox BEGIN
  INSERT INTO outbox_size VALUES(new.sink, new.state, new.priority, 1, new.bytes)
  ON CONFLICT DO UPDATE SET events = events + 1, bytes = bytes + new.bytes;
END;
CREATE TRIGGER outbox_out AFTER DELETE ON outbox BEGIN
  UPDATE outbox_size SET events = events - 1, bytes = bytes - old.bytes
  WHERE sink = old.sink AND state = old.state AND priority = old.priority;
END;
CREATE TRIGGER outbox_state AFTER UPDATE OF state ON outbox BEGIN
  UPDATE outbox_size SET events = events - 1, bytes = bytes - old.bytes
  WHERE sink = old.sink AND state = old.state AND priority = old.priority;
  INSERT INTO outbox_size VALUES(new.sink, new.state, new.priority, 1, new.bytes)
  ON CONFLICT DO UPDATE SET events = events + 1, bytes = bytes + new.bytes;
END;

CREATE TABLE drops(
  what TEXT NOT NULL, class TEXT NOT NULL, reason TEXT NOT NULL,
  count INTEGER NOT NULL, bytes INTEGER NOT NULL, wall_time REAL NOT NULL,
  PRIMARY KEY(what, class, reason)
) WITHOUT ROWID;

-- Drops not yet told to a sink; `told` is the outbox row of the last telling.
CREATE TABLE lost(
  sink TEXT NOT NULL, class TEXT NOT NULL, reason TEXT NOT NULL,
  count INTEGER NOT NULL, bytes INTEGER NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, told INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(sink, class, reason)
) WITHOUT ROWID;

CREATE TABLE alarms(
  alarm_id TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  priority INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  wall_time REAL NOT NULL,
  body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE audit(
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  wall_time REAL NOT NULL,
  user TEXT NOT NULL,
  role TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  reason TEXT NOT NULL,
  prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL
);
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
"""

VERSION_2 = """
-- An event is known by epoch and sequence: rows saved from a damaged file keep their own.
-- `seq` is given by the writer and never comes again, also when its row is gone.
CREATE TABLE outbox_2(
  seq INTEGER PRIMARY KEY,
  epoch TEXT NOT NULL,
  event INTEGER NOT NULL,
  sink TEXT NOT NULL,
  class TEXT NOT NULL,
  priority INTEGER NOT NULL,
  wall_time REAL NOT NULL,
  monotonic REAL NOT NULL,
  boot_id TEXT NOT NULL,
  crc32 INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  payload BLOB NOT NULL
);
INSERT INTO outbox_2 SELECT seq, (SELECT value FROM meta WHERE key = 'epoch'), event, sink,
  class, priority, wall_time, monotonic, boot_id, crc32, bytes, state, reason, payload
  FROM outbox;

-- The one writer counts by itself: it writes the sums once in a commit, all on one page.
INSERT INTO meta SELECT 'outbox ' || sink || ' ' || state || ' ' || priority,
  events || ' ' || bytes FROM outbox_size;
INSERT INTO meta SELECT 'outbox_seq', seq FROM sqlite_sequence WHERE name = 'outbox';
DROP TABLE outbox_size;
DROP TABLE outbox;
ALTER TABLE outbox_2 RENAME TO outbox;
CREATE INDEX outbox_next ON outbox(sink, state, priority);
CREATE INDEX outbox_dead ON outbox(state) WHERE state = 'dead';

-- Drops are told of by epoch, too.
ALTER TABLE lost RENAME TO lost_1;
CREATE TABLE lost(
  sink TEXT NOT NULL, epoch TEXT NOT NULL, class TEXT NOT NULL, reason TEXT NOT NULL,
  count INTEGER NOT NULL, bytes INTEGER NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, told INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(sink, epoch, class, reason)
) WITHOUT ROWID;
INSERT INTO lost SELECT sink, (SELECT value FROM meta WHERE key = 'epoch'),
  class, reason, count, bytes, first, last, told FROM lost_1;
DROP TABLE lost_1;

-- Operations with events in them that the store did not take; `told` as above.
CREATE TABLE refused(
  class TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
  told_count INTEGER NOT NULL DEFAULT 0, told INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(class, reason)
) WITHOUT ROWID;

-- A file that has an epoch already has it told at the next start.
INSERT INTO meta SELECT 'epoch_untold', 'null' WHERE EXISTS
  (SELECT 1 FROM meta WHERE key = 'epoch');
"""

MIGRATIONS: tuple[str, ...] = (VERSION_1, VERSION_2)
"""Step n brings a file from version n to n + 1."""

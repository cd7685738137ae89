"""What is said to PostgreSQL. Values always travel beside the statement, never in it."""

from common.telemetry.collector.records import EVENT_COLUMNS, STREAM_COLUMNS

COPY = f"COPY events({', '.join(EVENT_COLUMNS)}) FROM STDIN"
LOCK = (
    "SELECT streams.source, streams.epoch, state FROM streams"
    " JOIN unnest(%s::text[], %s::text[]) AS asked(source, epoch)"
    ' ON streams.source = asked.source COLLATE "C" AND streams.epoch = asked.epoch COLLATE "C"'
    " ORDER BY 1, 2 FOR UPDATE OF streams"
)
MAKE = (
    "INSERT INTO streams(source, epoch, state) SELECT * FROM"
    " unnest(%s::text[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING"
)
RECORDED = (
    "SELECT events.source, events.epoch, events.sequence, to_char("
    "events.recorded_time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM events"
    " JOIN unnest(%s::text[], %s::text[], %s::bigint[]) AS asked(source, epoch, sequence)"
    ' ON events.source = asked.source COLLATE "C" AND events.epoch = asked.epoch COLLATE "C"'
    " AND events.sequence = asked.sequence"
)
SAVE = (
    f"UPDATE streams SET {', '.join(f'{name} = %s' for name in STREAM_COLUMNS)}"  # noqa: S608
    " WHERE source = %s AND epoch = %s"
)
REJECT = (
    "INSERT INTO rejected(digest, topic, reason, raw, size, first_time, last_time)"
    " VALUES(%s, %s, %s, %s, %s, %s, %s) ON CONFLICT(digest)"
    " DO UPDATE SET times = rejected.times + 1, last_time = excluded.last_time"
)
COUNT = (
    "INSERT INTO rejected_totals VALUES(%s, 1)"
    " ON CONFLICT(topic) DO UPDATE SET times = rejected_totals.times + 1"
)
PRUNE = (
    "DELETE FROM rejected WHERE topic = %(topic)s AND id <= (SELECT id FROM rejected"
    " WHERE topic = %(topic)s ORDER BY id DESC LIMIT 1 OFFSET %(keep)s)"
)
DUE = (
    "SELECT state FROM streams WHERE ask_at <= %s OR ask_at > %s ORDER BY ask_at LIMIT %s"
    " FOR UPDATE SKIP LOCKED"
)

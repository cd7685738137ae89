CREATE VIEW last_seen AS
  SELECT source, epoch, max(last_seen) AS last_seen, behind_s, clock_offset_s
  FROM streams WHERE last_seen IS NOT NULL GROUP BY source;

CREATE VIEW events_per_hour AS
  SELECT source, type, strftime('%Y-%m-%dT%H:00:00.000Z', time) AS hour, count(*) AS events
  FROM events WHERE suspect = '' GROUP BY 1, 2, 3;

-- Shifts of eight hours that begin at 06:00, 14:00 and 22:00 UTC.
CREATE VIEW verdicts_per_shift AS
  SELECT source,
    strftime('%Y-%m-%dT%H:%M:%S.000Z',
      (strftime('%s', time) - 21600) / 28800 * 28800 + 21600, 'unixepoch') AS shift_start,
    count(*) AS parts,
    sum(json_extract(data, '$.verdict') <> 'PASS') AS rejects
  FROM events WHERE type LIKE 'lineside.inspection.verdict.%' AND suspect = ''
  GROUP BY 1, 2;

-- The newest state of each alarm: newest epoch first, in it the highest sequence.
CREATE VIEW open_alarms AS
  SELECT source, alarm_id, state, priority, text, since FROM (
    SELECT source, subject AS alarm_id, json_extract(data, '$.state') AS state,
      json_extract(data, '$.priority') AS priority, json_extract(data, '$.text') AS text,
      time AS since,
      row_number() OVER (
        PARTITION BY source, subject ORDER BY streams.opened DESC, sequence DESC) AS newest
    FROM events JOIN streams USING (source, epoch)
    WHERE type >= 'lineside.alarm.' AND type < 'lineside.alarm/')
  WHERE newest = 1 AND state <> 'NORM';

CREATE VIEW backlog_age AS
  SELECT source, behind_s AS behind_seconds, last_seen FROM last_seen;

CREATE VIEW gaps AS
  SELECT source, epoch, received, first, last, missing, missing_count, told_dropped,
    unexplained, asks
  FROM streams WHERE missing_count > 0;

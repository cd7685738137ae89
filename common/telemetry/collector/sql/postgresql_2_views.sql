CREATE VIEW stations AS
  SELECT source, split_part(source, ':', 3) AS tenant, split_part(source, ':', 4) AS site,
    split_part(source, ':', 5) AS area, split_part(source, ':', 6) AS device,
    split_part(source, ':', 7) AS app, min(opened) AS first_seen
  FROM streams GROUP BY source;

CREATE VIEW last_seen AS
  SELECT DISTINCT ON (source) source, epoch, last_seen, behind_s, clock_offset_s
  FROM streams WHERE last_seen IS NOT NULL ORDER BY source, last_seen DESC;

CREATE VIEW events_per_hour AS
  SELECT source, type, date_trunc('hour', time) AS hour, count(*) AS events
  FROM events WHERE suspect = '' GROUP BY 1, 2, 3;

-- Shifts of eight hours that begin at 06:00, 14:00 and 22:00 in the session's time zone.
CREATE VIEW verdicts_per_shift AS
  SELECT source, date_bin('8 hours', time::timestamp, '2000-01-01 06:00') AS shift_start,
    count(*) AS parts, count(*) FILTER (WHERE data->>'verdict' <> 'PASS') AS rejects
  FROM events WHERE type LIKE 'lineside.inspection.verdict.%' AND suspect = ''
  GROUP BY 1, 2;

-- The newest state of each alarm: newest epoch first, in it the highest sequence.
CREATE VIEW open_alarms AS
  SELECT source, alarm_id, state, priority, text, since FROM (
    SELECT DISTINCT ON (source, subject) source, subject AS alarm_id,
      data->>'state' AS state, (data->>'priority')::integer AS priority,
      data->>'text' AS text, time AS since
    FROM events JOIN streams USING (source, epoch)
    WHERE type >= 'lineside.alarm.' AND type < 'lineside.alarm/'
    ORDER BY source, subject, streams.opened DESC, sequence DESC) AS newest
  WHERE state <> 'NORM';

CREATE VIEW backlog_age AS
  SELECT source, behind_s AS behind_seconds, last_seen FROM last_seen;

CREATE VIEW gaps AS
  SELECT source, epoch, received, first, last, missing, missing_count, told_dropped,
    unexplained, asks
  FROM streams WHERE missing_count > 0;

"""The tables of the kiosk's one database file, as a list of migrations: entry *n* leads from `user_version` n to n + 1.

A shipped migration is never edited; a change is a new entry. Every table is STRICT.
"""

from __future__ import annotations

_FIRST = """
-- Outbox: what the backend must be told. `state` says where a fact stands; only an event in a batch is `inflight`.
CREATE TABLE event(
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT NOT NULL UNIQUE CHECK (length(event_id) = 36),
  aggregate TEXT NOT NULL,
  aggregate_seq INT NOT NULL CHECK (aggregate_seq >= 1),
  type TEXT NOT NULL,
  schema_version INT NOT NULL,
  body BLOB NOT NULL,
  created_utc_ms INT NOT NULL,
  created_boot_ms INT NOT NULL,
  boot_id TEXT NOT NULL,
  attempts INT NOT NULL DEFAULT 0,
  next_at_ms INT NOT NULL DEFAULT 0,
  last_status TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'inflight', 'acked', 'dead')),
  batch_seq INT REFERENCES batch(batch_seq),
  UNIQUE (aggregate, aggregate_seq),
  CHECK ((state = 'inflight') = (batch_seq IS NOT NULL))
) STRICT;
CREATE INDEX event_by_state ON event(state, seq);
CREATE INDEX event_in_batch ON event(batch_seq) WHERE batch_seq IS NOT NULL;
CREATE INDEX event_dead ON event(aggregate, aggregate_seq) WHERE state = 'dead';
CREATE INDEX event_delayed ON event(aggregate, aggregate_seq) WHERE state = 'pending' AND next_at_ms > 0;

-- Last number given in each aggregate; outlives its events, so that a number is never given twice.
CREATE TABLE aggregate(name TEXT PRIMARY KEY, last_seq INT NOT NULL) STRICT, WITHOUT ROWID;

-- Sealed bytes, stored before they are first sent and resent unchanged.
CREATE TABLE batch(
  batch_seq INTEGER PRIMARY KEY,
  idem_key TEXT NOT NULL UNIQUE CHECK (length(idem_key) = 32),
  body BLOB NOT NULL,
  body_sha256 BLOB NOT NULL CHECK (length(body_sha256) = 32),
  lease_until_ms INT NOT NULL DEFAULT 0,
  attempts INT NOT NULL DEFAULT 0,
  refusals INT NOT NULL DEFAULT 0,
  next_at_ms INT NOT NULL DEFAULT 0
) STRICT;

-- Size of `event`, kept by triggers: a quota must not cost a walk over the table at each new fact.
CREATE TABLE outbox_size(id INTEGER PRIMARY KEY CHECK (id = 1), events INT NOT NULL, body_bytes INT NOT NULL) STRICT;
INSERT INTO outbox_size VALUES (1, 0, 0);
CREATE TRIGGER event_added AFTER INSERT ON event BEGIN
  UPDATE outbox_size SET events = events + 1, body_bytes = body_bytes + length(NEW.body);
END;
CREATE TRIGGER event_deleted AFTER DELETE ON event BEGIN
  UPDATE outbox_size SET events = events - 1, body_bytes = body_bytes - length(OLD.body);
END;
CREATE TRIGGER event_content_is_final BEFORE UPDATE OF
  seq, event_id, aggregate, aggregate_seq, type, schema_version, body, created_utc_ms ON event
BEGIN SELECT RAISE(ABORT, 'the content of an event never changes'); END;

-- Journal: append-only, hash-chained.
CREATE TABLE journal(
  seq INTEGER PRIMARY KEY,
  utc_ms INT NOT NULL,
  type TEXT NOT NULL,
  pseudonym TEXT,
  fields TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- Numbers, floors, heads and secrets of the program; settings are values that somebody chose.
CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE setting(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""

_SECOND = """
-- When an aggregate last got a number: its age decides when it may be forgotten. Those that are there already count as
-- used at the newest time this file knows of.
ALTER TABLE aggregate ADD COLUMN last_utc_ms INT NOT NULL DEFAULT 0;
UPDATE aggregate SET last_utc_ms = max(
  (SELECT coalesce(max(utc_ms), 0) FROM journal), (SELECT coalesce(max(created_utc_ms), 0) FROM event));
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _SECOND)

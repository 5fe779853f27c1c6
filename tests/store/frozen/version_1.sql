-- A kiosk's database as version 1 made it. Never edit: it is what kiosks in the street have.

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

-- Rows in every table, as a kiosk of that version left them.
INSERT INTO batch VALUES (7, '00112233445566778899aabbccddeeff', x'7b7d',
  x'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', 120000, 2, 1, 5000);
INSERT INTO event VALUES
  (3, '0199c0de-0000-7000-8000-000000000003', 'kiosk', 3, 'kiosk_started', 1, x'7b7d', 1790000000003, 3, 'boot-a', 0, 0,
   'applied', 'acked', NULL),
  (4, '0199c0de-0000-7000-8000-000000000004', 'visit:00112233445566778899aabbccddeeff', 1, 'visit_started', 1, x'7b7d',
   1790000000004, 4, 'boot-a', 2, 0, 'order', 'inflight', 7),
  (5, '0199c0de-0000-7000-8000-000000000005', 'visit:00112233445566778899aabbccddeeff', 2, 'card_read', 1, x'7b7d',
   1790000000005, 5, 'boot-b', 1, 900000, 'retry', 'pending', NULL),
  (6, '0199c0de-0000-7000-8000-000000000006', 'visit:ffeeddccbbaa99887766554433221100', 1, 'visit_started', 1, x'7b7d',
   1790000000006, 6, 'boot-b', 1, 0, 'invalid', 'dead', NULL);
INSERT INTO aggregate VALUES
  ('kiosk', 3), ('visit:00112233445566778899aabbccddeeff', 2), ('visit:ffeeddccbbaa99887766554433221100', 1),
  ('visit:0123456789abcdef0123456789abcdef', 11);
INSERT INTO journal VALUES
  (1, 1790000000001, 'kiosk_started', NULL, '{}', x'd4c5a9c2c34f4ba4f04ddf5a5ab7a37dbb1a7f0ef3ba35c49f2ad0b9d0f1e201'),
  (2, 1790000000009, 'identified', '00112233445566778899aabbccddeeff', '{"level":1}',
   x'5f0e1d2c3b4a59687786a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0');
INSERT INTO meta VALUES ('time_floor_s', CAST('1793491300' AS BLOB)), ('last_batch_seq', CAST('7' AS BLOB)),
  ('acked_through_seq', CAST('6' AS BLOB));
INSERT INTO setting VALUES ('volume', '7');
PRAGMA user_version = 1;

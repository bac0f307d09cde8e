-- Version 1 of the records. Never edited once released: a change is a new file.
--
-- Times are UTC text, 2006-01-02T15:04:05.000000000Z: 30 characters, so that
-- they sort as they happened. MAC addresses are lower case with colons.
-- A column added later must allow NULL: the ledger's digest of a row leaves out
-- columns that are NULL, so old rows keep their digests (ledger.go).

CREATE TABLE units (
  id            INTEGER PRIMARY KEY,
  mac           TEXT NOT NULL UNIQUE CHECK (length(mac) = 17 AND mac = lower(mac)),
  -- Two serials that differ only in case are one label read twice.
  serial        TEXT NOT NULL COLLATE NOCASE UNIQUE CHECK (serial <> ''),
  state         TEXT NOT NULL CHECK (state IN ('open', 'complete', 'parked')),
  park_code     TEXT NOT NULL DEFAULT '',
  park_reason   TEXT NOT NULL DEFAULT '',
  chip_revision TEXT NOT NULL,
  chip_package  TEXT NOT NULL,
  flash_id      TEXT NOT NULL,
  flash_size    INTEGER NOT NULL CHECK (flash_size >= 0), -- bytes
  station       TEXT NOT NULL,
  custody       TEXT NOT NULL CHECK (custody IN ('discard', 'escrow')),
  goal          TEXT CHECK (json_valid(goal)),
  created_at    TEXT NOT NULL CHECK (length(created_at) = 30),
  completed_at  TEXT CHECK (length(completed_at) = 30),
  final_words   TEXT CHECK (json_valid(final_words)),
  CHECK (state <> 'complete' OR completed_at IS NOT NULL)
) STRICT;
CREATE INDEX units_unfinished ON units (state, id) WHERE state <> 'complete';

CREATE TABLE runs (
  id             INTEGER PRIMARY KEY,
  run            TEXT NOT NULL UNIQUE CHECK (run <> ''), -- the caller's name for it
  started_at     TEXT NOT NULL CHECK (length(started_at) = 30),
  station        TEXT NOT NULL,
  slot           INTEGER NOT NULL,
  port           TEXT NOT NULL,
  profile_name   TEXT NOT NULL,
  profile_sha256 TEXT NOT NULL,
  version        TEXT NOT NULL,
  operator       TEXT NOT NULL,
  mac            TEXT CHECK (length(mac) = 17 AND mac = lower(mac)), -- null until the chip told it
  unit_id        INTEGER REFERENCES units (id),
  finished_at    TEXT CHECK (length(finished_at) = 30),
  verdict        TEXT CHECK (verdict IN ('PASS', 'FAIL', 'ERROR', 'PARK', 'DONE')),
  code           TEXT NOT NULL DEFAULT '',
  reason         TEXT NOT NULL DEFAULT '',
  CHECK ((finished_at IS NULL) = (verdict IS NULL))
) STRICT;
CREATE INDEX runs_unit ON runs (unit_id, id);
CREATE INDEX runs_mac ON runs (mac, id);
CREATE INDEX runs_started ON runs (started_at, id);

-- Key fingerprints outlive the keys. The key itself is only ever in sealed_keys.
CREATE TABLE keys (
  id          INTEGER PRIMARY KEY,
  unit_id     INTEGER NOT NULL REFERENCES units (id),
  purpose     TEXT NOT NULL CHECK (purpose <> ''),
  block       INTEGER NOT NULL CHECK (block BETWEEN 1 AND 3),
  fingerprint TEXT NOT NULL UNIQUE CHECK (length(fingerprint) = 64 AND fingerprint NOT GLOB '*[^0-9a-f]*'),
  bits        INTEGER NOT NULL CHECK (bits > 0),
  verified_at TEXT CHECK (length(verified_at) = 30), -- read back from the chip and compared
  UNIQUE (unit_id, purpose),
  UNIQUE (unit_id, block)
) STRICT;

CREATE TABLE sealed_keys (
  id           INTEGER PRIMARY KEY REFERENCES units (id),
  working      BLOB CHECK (length(working) > 0), -- null once destroyed
  escrow       BLOB CHECK (length(escrow) > 0),  -- null under custody 'discard'
  iv           BLOB CHECK (length(iv) > 0),      -- of the bootloader digest; not a secret
  sealed_at    TEXT NOT NULL CHECK (length(sealed_at) = 30),
  destroyed_at TEXT CHECK (length(destroyed_at) = 30),
  CHECK ((working IS NULL) = (destroyed_at IS NOT NULL))
) STRICT;

-- BLOCK1 and BLOCK2 hold keys: their words are never kept, only whose key it was.
CREATE TABLE burns (
  id              INTEGER PRIMARY KEY,
  run_id          INTEGER NOT NULL REFERENCES runs (id),
  unit_id         INTEGER NOT NULL REFERENCES units (id),
  step            TEXT NOT NULL CHECK (step <> ''),
  block           INTEGER NOT NULL CHECK (block BETWEEN 0 AND 3),
  words_before    TEXT CHECK (length(words_before) = 71),
  words_bits      TEXT CHECK (length(words_bits) = 71),
  key_fingerprint TEXT REFERENCES keys (fingerprint),
  intended_at     TEXT NOT NULL CHECK (length(intended_at) = 30),
  words_after     TEXT CHECK (length(words_after) = 71),
  ok              INTEGER CHECK (ok IN (0, 1)),
  observed_at     TEXT CHECK (length(observed_at) = 30),
  CHECK (block NOT IN (1, 2) OR (words_before IS NULL AND words_bits IS NULL
                                 AND words_after IS NULL AND key_fingerprint IS NOT NULL)),
  CHECK (block IN (1, 2) OR (words_before IS NOT NULL AND words_bits IS NOT NULL
                             AND key_fingerprint IS NULL)),
  CHECK ((observed_at IS NULL) = (ok IS NULL))
) STRICT;
CREATE INDEX burns_unit ON burns (unit_id, id);
CREATE INDEX burns_key ON burns (key_fingerprint) WHERE key_fingerprint IS NOT NULL;

CREATE TABLE firmware (
  id      INTEGER PRIMARY KEY,
  sha256  TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
  role    TEXT NOT NULL,
  project TEXT NOT NULL,
  version TEXT NOT NULL,
  idf     TEXT NOT NULL,
  size    INTEGER NOT NULL CHECK (size >= 0) -- bytes
) STRICT;
CREATE INDEX firmware_project ON firmware (project, version);
CREATE INDEX firmware_version ON firmware (version);

-- One row per write that was verified; the newest row of an offset is what the
-- unit carries there.
CREATE TABLE regions (
  id            INTEGER PRIMARY KEY,
  run_id        INTEGER NOT NULL REFERENCES runs (id),
  unit_id       INTEGER NOT NULL REFERENCES units (id),
  name          TEXT NOT NULL CHECK (name <> ''),
  flash_offset  INTEGER NOT NULL CHECK (flash_offset >= 0), -- bytes
  length        INTEGER NOT NULL CHECK (length > 0),        -- bytes
  plain_sha256  TEXT NOT NULL CHECK (length(plain_sha256) IN (0, 64)),
  flash_md5     TEXT NOT NULL CHECK (length(flash_md5) = 32),
  flash_sha256  TEXT NOT NULL CHECK (length(flash_sha256) IN (0, 64)),
  encrypted     INTEGER NOT NULL CHECK (encrypted IN (0, 1)),
  firmware_id   INTEGER REFERENCES firmware (id),
  verified_at   TEXT NOT NULL CHECK (length(verified_at) = 30)
) STRICT;
CREATE INDEX regions_unit ON regions (unit_id, flash_offset, id);
CREATE INDEX regions_firmware ON regions (firmware_id, unit_id) WHERE firmware_id IS NOT NULL;

-- Parking is by MAC: a part secured by somebody else has no unit row.
CREATE TABLE parkings (
  id      INTEGER PRIMARY KEY,
  mac     TEXT NOT NULL CHECK (length(mac) = 17 AND mac = lower(mac)),
  unit_id INTEGER REFERENCES units (id),
  run_id  INTEGER REFERENCES runs (id),
  action  TEXT NOT NULL CHECK (action IN ('park', 'release')),
  code    TEXT NOT NULL,
  reason  TEXT NOT NULL CHECK (reason <> ''),
  person  TEXT NOT NULL,
  at      TEXT NOT NULL CHECK (length(at) = 30),
  CHECK (action <> 'release' OR person <> '')
) STRICT;
CREATE INDEX parkings_mac ON parkings (mac, id);

CREATE TABLE events (
  id     INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs (id),
  seq    INTEGER NOT NULL CHECK (seq > 0),
  time   TEXT NOT NULL CHECK (length(time) = 30),
  slot   INTEGER NOT NULL,
  kind   TEXT NOT NULL CHECK (kind <> ''),
  step   TEXT NOT NULL,
  code   TEXT NOT NULL,
  mac    TEXT NOT NULL,
  serial TEXT NOT NULL,
  body   TEXT CHECK (json_valid(body)),
  UNIQUE (run_id, seq)
) STRICT;

-- The ledger: entry n is made in the transaction that wrote the row it is about.
CREATE TABLE ledger (
  n      INTEGER PRIMARY KEY CHECK (n > 0), -- 1, 2, 3 ... without gaps
  tbl    TEXT NOT NULL,
  row    INTEGER NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32), -- of the row as it then was
  hash   BLOB NOT NULL CHECK (length(hash) = 32)    -- over the hash of entry n-1 and this entry
) STRICT;
CREATE INDEX ledger_row ON ledger (tbl, row, n);

-- Where the ledger ends, kept apart: a ledger cut short no longer meets its head.
CREATE TABLE ledger_head (
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  n    INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO ledger_head VALUES (1, 0, zeroblob(32));

-- Written by Check, to see that a write reaches the disk.
CREATE TABLE probe (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  count INTEGER NOT NULL
) STRICT;
INSERT INTO probe VALUES (1, 0);

-- History is append-only.
CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_head_advances BEFORE UPDATE ON ledger_head WHEN NEW.n <= OLD.n
  BEGIN SELECT RAISE(ABORT, 'the head of the ledger only moves on'); END;
CREATE TRIGGER ledger_head_no_delete BEFORE DELETE ON ledger_head BEGIN SELECT RAISE(ABORT, 'the ledger has a head'); END;
CREATE TRIGGER parkings_no_update BEFORE UPDATE ON parkings BEGIN SELECT RAISE(ABORT, 'parkings are append-only'); END;
CREATE TRIGGER parkings_no_delete BEFORE DELETE ON parkings BEGIN SELECT RAISE(ABORT, 'parkings are append-only'); END;
CREATE TRIGGER firmware_no_update BEFORE UPDATE ON firmware BEGIN SELECT RAISE(ABORT, 'firmware is append-only'); END;
CREATE TRIGGER firmware_no_delete BEFORE DELETE ON firmware BEGIN SELECT RAISE(ABORT, 'firmware is append-only'); END;
CREATE TRIGGER regions_no_update BEFORE UPDATE ON regions BEGIN SELECT RAISE(ABORT, 'regions are append-only'); END;
CREATE TRIGGER regions_no_delete BEFORE DELETE ON regions BEGIN SELECT RAISE(ABORT, 'regions are append-only'); END;

-- What may change, changes one way.
CREATE TRIGGER units_no_delete BEFORE DELETE ON units BEGIN SELECT RAISE(ABORT, 'units are never deleted'); END;
CREATE TRIGGER units_identity BEFORE UPDATE ON units
  WHEN NEW.id <> OLD.id OR NEW.mac <> OLD.mac OR NEW.serial <> OLD.serial COLLATE BINARY OR NEW.created_at <> OLD.created_at
    OR NEW.custody <> OLD.custody OR NEW.goal IS NOT OLD.goal
  BEGIN SELECT RAISE(ABORT, 'the identity of a unit does not change'); END;
CREATE TRIGGER units_complete BEFORE UPDATE ON units
  WHEN OLD.completed_at IS NOT NULL AND (NEW.state = 'open' OR NEW.completed_at IS NOT OLD.completed_at
    OR NEW.final_words IS NOT OLD.final_words)
  BEGIN SELECT RAISE(ABORT, 'a complete unit stays complete'); END;
CREATE TRIGGER runs_no_delete BEFORE DELETE ON runs BEGIN SELECT RAISE(ABORT, 'runs are never deleted'); END;
CREATE TRIGGER runs_once BEFORE UPDATE ON runs
  WHEN OLD.finished_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.run <> OLD.run OR NEW.started_at <> OLD.started_at
    OR NEW.station <> OLD.station OR NEW.slot <> OLD.slot OR NEW.port <> OLD.port OR NEW.profile_name <> OLD.profile_name
    OR NEW.profile_sha256 <> OLD.profile_sha256 OR NEW.version <> OLD.version OR NEW.operator <> OLD.operator
  BEGIN SELECT RAISE(ABORT, 'a run is finished once'); END;
CREATE TRIGGER keys_no_delete BEFORE DELETE ON keys BEGIN SELECT RAISE(ABORT, 'fingerprints are never deleted'); END;
CREATE TRIGGER keys_once BEFORE UPDATE ON keys
  WHEN OLD.verified_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.unit_id <> OLD.unit_id OR NEW.purpose <> OLD.purpose
    OR NEW.block <> OLD.block OR NEW.fingerprint <> OLD.fingerprint OR NEW.bits <> OLD.bits
  BEGIN SELECT RAISE(ABORT, 'a key is verified once and never changed'); END;
CREATE TRIGGER sealed_keys_no_delete BEFORE DELETE ON sealed_keys BEGIN SELECT RAISE(ABORT, 'sealed keys are destroyed, not deleted'); END;
CREATE TRIGGER sealed_keys_once BEFORE UPDATE ON sealed_keys
  WHEN OLD.working IS NULL OR NEW.working IS NOT NULL OR NEW.id <> OLD.id OR NEW.escrow IS NOT OLD.escrow
    OR NEW.iv IS NOT OLD.iv OR NEW.sealed_at <> OLD.sealed_at
  BEGIN SELECT RAISE(ABORT, 'a sealed key can only be destroyed'); END;
CREATE TRIGGER burns_no_delete BEFORE DELETE ON burns BEGIN SELECT RAISE(ABORT, 'burns are never deleted'); END;
CREATE TRIGGER burns_once BEFORE UPDATE ON burns
  WHEN OLD.observed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.run_id <> OLD.run_id OR NEW.unit_id <> OLD.unit_id
    OR NEW.step <> OLD.step OR NEW.block <> OLD.block OR NEW.words_before IS NOT OLD.words_before
    OR NEW.words_bits IS NOT OLD.words_bits OR NEW.key_fingerprint IS NOT OLD.key_fingerprint OR NEW.intended_at <> OLD.intended_at
  BEGIN SELECT RAISE(ABORT, 'a burn is observed once, its intent never changes'); END;

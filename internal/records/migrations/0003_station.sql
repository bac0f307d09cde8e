-- People, what they do at a station, and what becomes of labels. All append-only.

-- The newest row of a name is who that person is now. Names that differ only in
-- case are one person.
CREATE TABLE people (
  id        INTEGER PRIMARY KEY,
  name      TEXT NOT NULL COLLATE NOCASE CHECK (name <> '' AND name = trim(name) AND length(CAST(name AS BLOB)) <= 64),
  role      TEXT NOT NULL CHECK (role IN ('operator', 'lead', 'engineer')),
  badge     TEXT NOT NULL CHECK (badge = '' OR length(badge) = 64 AND badge NOT GLOB '*[^0-9a-f]*'), -- a digest of it
  pin       TEXT NOT NULL CHECK (pin = '' OR pin GLOB '$argon2id$*'), -- a hash of it, in PHC form
  state     TEXT NOT NULL CHECK (state IN ('active', 'removed')),
  at        TEXT NOT NULL CHECK (length(at) = 30),
  by_person TEXT NOT NULL -- empty where there was nobody yet who could have
) STRICT;
CREATE INDEX people_name ON people (name, id);
CREATE INDEX people_badge ON people (badge) WHERE badge <> '';

CREATE TABLE acts (
  id      INTEGER PRIMARY KEY,
  at      TEXT NOT NULL CHECK (length(at) = 30),
  station TEXT NOT NULL,
  slot    INTEGER NOT NULL CHECK (slot >= 0), -- 0: of the whole station
  person  TEXT NOT NULL,                      -- empty where nobody was signed in
  role    TEXT NOT NULL,                      -- that the person had then
  kind    TEXT NOT NULL CHECK (kind <> ''),
  reason  TEXT NOT NULL,
  subject TEXT NOT NULL COLLATE NOCASE,       -- a serial, MAC or job: whichever case it was scanned in
  detail  TEXT NOT NULL
) STRICT;
CREATE INDEX acts_at ON acts (at);
CREATE INDEX acts_kind ON acts (station, kind, id);
CREATE INDEX acts_subject ON acts (subject, id) WHERE subject <> '';

CREATE TABLE labels (
  id      INTEGER PRIMARY KEY,
  unit_id INTEGER NOT NULL REFERENCES units (id),
  at      TEXT NOT NULL CHECK (length(at) = 30),
  kind    TEXT NOT NULL CHECK (kind IN ('printed', 'failed', 'verified', 'mismatch')),
  copy    INTEGER NOT NULL CHECK (copy >= 1),
  person  TEXT NOT NULL,
  reason  TEXT NOT NULL,
  detail  TEXT NOT NULL
) STRICT;
CREATE INDEX labels_unit ON labels (unit_id, id);
CREATE UNIQUE INDEX labels_copy ON labels (unit_id, copy) WHERE kind = 'printed';

-- What a station did since its shift began. Complete finishes one run of a unit as
-- PASS and no more, so runs_passed has one entry a unit, under the station that made
-- it, and a PASS was the first run of its unit unless an entry of runs_vain is earlier.
CREATE INDEX runs_station ON runs (station, started_at);
CREATE INDEX runs_passed ON runs (station, finished_at) WHERE verdict = 'PASS';
CREATE INDEX runs_vain ON runs (mac, id) WHERE mac IS NOT NULL AND verdict IS NOT 'PASS' AND verdict IS NOT 'DONE';

CREATE TRIGGER people_no_update BEFORE UPDATE ON people BEGIN SELECT RAISE(ABORT, 'people are append-only'); END;
CREATE TRIGGER people_no_delete BEFORE DELETE ON people BEGIN SELECT RAISE(ABORT, 'people are append-only'); END;
CREATE TRIGGER acts_no_update BEFORE UPDATE ON acts BEGIN SELECT RAISE(ABORT, 'acts are append-only'); END;
CREATE TRIGGER acts_no_delete BEFORE DELETE ON acts BEGIN SELECT RAISE(ABORT, 'acts are append-only'); END;
CREATE TRIGGER labels_no_update BEFORE UPDATE ON labels BEGIN SELECT RAISE(ABORT, 'labels are append-only'); END;
CREATE TRIGGER labels_no_delete BEFORE DELETE ON labels BEGIN SELECT RAISE(ABORT, 'labels are append-only'); END;

-- What one row cannot say of itself.
CREATE TRIGGER people_badge_once BEFORE INSERT ON people WHEN NEW.state = 'active' AND EXISTS (
    SELECT 1 FROM people AS p WHERE p.badge = NEW.badge AND p.badge <> '' AND p.state = 'active' AND p.name <> NEW.name
    AND NOT EXISTS (SELECT 1 FROM people AS later WHERE later.name = p.name AND later.id > p.id))
  BEGIN SELECT RAISE(ABORT, 'a badge belongs to one person'); END;
CREATE TRIGGER labels_after_pass BEFORE INSERT ON labels
  WHEN NEW.kind = 'printed' AND NOT EXISTS (SELECT 1 FROM units WHERE id = NEW.unit_id AND state = 'complete')
  BEGIN SELECT RAISE(ABORT, 'a label is printed for a complete unit'); END;
CREATE TRIGGER labels_no_gap BEFORE INSERT ON labels
  WHEN NEW.copy > (SELECT count(*) FROM labels WHERE unit_id = NEW.unit_id AND kind = 'printed') + (NEW.kind IN ('printed', 'failed'))
  BEGIN SELECT RAISE(ABORT, 'copies of a label are counted without gaps'); END;

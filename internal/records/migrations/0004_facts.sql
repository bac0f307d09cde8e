-- What a firmware file is, as far as that decides what a unit accepts later: found
-- out where the file was at hand, kept for when it no longer is. It is of the file at
-- one place in flash: a partition table made from CSV differs with it. Units made
-- before this version have no facts until their files are seen again.
CREATE TABLE firmware_facts (
  id           INTEGER PRIMARY KEY,
  firmware_id  INTEGER NOT NULL REFERENCES firmware (id),
  flash_offset INTEGER NOT NULL CHECK (flash_offset >= 0), -- bytes
  facts        TEXT NOT NULL CHECK (json_valid(facts)),
  UNIQUE (firmware_id, flash_offset)
) STRICT;

-- All that a question to a whole fleet reads of regions, in the order they were saved.
CREATE INDEX regions_carried ON regions (unit_id, id, firmware_id, flash_offset) WHERE firmware_id IS NOT NULL;

CREATE TRIGGER firmware_facts_no_update BEFORE UPDATE ON firmware_facts BEGIN SELECT RAISE(ABORT, 'facts are append-only'); END;
CREATE TRIGGER firmware_facts_no_delete BEFORE DELETE ON firmware_facts BEGIN SELECT RAISE(ABORT, 'facts are append-only'); END;

-- A unit for which no burn was ever intended may change its goal: nothing of the
-- old one is in the chip. Custody stays: the keys were sealed under it.
DROP TRIGGER units_identity;
CREATE TRIGGER units_identity BEFORE UPDATE ON units
  WHEN NEW.id <> OLD.id OR NEW.mac <> OLD.mac OR NEW.serial <> OLD.serial COLLATE BINARY OR NEW.created_at <> OLD.created_at
    OR NEW.custody <> OLD.custody
    OR NEW.goal IS NOT OLD.goal AND EXISTS (SELECT 1 FROM burns WHERE unit_id = OLD.id)
  BEGIN SELECT RAISE(ABORT, 'the identity of a unit does not change'); END;

-- The run that may act on a unit: the one that reserved it last. The ids of runs say
-- which started last, and a run may reserve a unit long after its start. Units of before
-- this version have no holder until a run takes them up.
ALTER TABLE units ADD COLUMN holder INTEGER REFERENCES runs (id);

"""Study tables: schemas, reading, validation; holding a `Study` is the proof that it is valid."""

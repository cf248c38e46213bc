"""The tables of the log and of the semantic layer: their columns and types, as data."""

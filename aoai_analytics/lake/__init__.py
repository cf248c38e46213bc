"""Gateway logs: their tables, reading them, and the lake they are kept in."""

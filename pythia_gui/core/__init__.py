"""Values and rules: the standard library and numpy only."""

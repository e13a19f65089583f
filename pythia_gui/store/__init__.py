"""Results already computed, kept in SQLite."""

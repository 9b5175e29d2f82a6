"""The decision record, and the journal that keeps it."""

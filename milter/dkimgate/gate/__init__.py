"""The way of a message through the gate: evidence, decision, changes, signatures, record."""

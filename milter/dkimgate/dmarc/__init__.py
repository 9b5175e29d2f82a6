"""DMARC (RFC 9989, RFC 7489): records, their discovery, and alignment."""

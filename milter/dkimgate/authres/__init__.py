"""Authentication-Results (RFC 8601), as the standard has it and as hosts write it."""

"""ARC (RFC 8617): sets parsed, validated and made."""

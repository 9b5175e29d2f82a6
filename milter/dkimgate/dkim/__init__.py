"""DKIM (RFC 6376, RFC 8463): signatures parsed, verified and made."""

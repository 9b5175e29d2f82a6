"""DKIM signatures: key files, canonicalization, the DKIM-Signature field, and the keys that domains publish."""

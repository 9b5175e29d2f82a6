"""From header fields to claims with standing, and from claims to Facts; one file a kind of evidence."""

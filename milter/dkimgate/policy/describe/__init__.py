"""What a policy says, for people and editors."""

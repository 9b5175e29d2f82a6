"""Test cases of a policy: what is stated of a message, and what is expected."""

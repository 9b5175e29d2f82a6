"""The passport: what the border states of a message, in one field with a MAC, for the hosts of its group (see
`reading`)."""

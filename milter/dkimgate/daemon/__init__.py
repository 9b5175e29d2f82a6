"""The daemon: `session` answers for one connection, `worker` speaks with the MTA (or `libmilter_worker`, by pymilter),
`socketmap` answers look-ups, `server` keeps them alive."""

"""The daemon: `session` adapts libmilter's callbacks, `worker` runs them, `server` keeps the workers alive."""

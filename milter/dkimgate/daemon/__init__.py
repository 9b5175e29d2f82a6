"""The daemon: `session` adapts libmilter's callbacks, `worker` runs them, `socketmap` answers look-ups, `server` keeps
them alive."""

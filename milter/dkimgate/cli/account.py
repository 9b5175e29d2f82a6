"""The user of the daemon on this host: new keys and secrets are made for it."""

from __future__ import annotations

from dkimgate.config import dkimgate_yaml, secret_file
from dkimgate.config.problem import ConfigError


def account() -> str:
    """The user that the configuration in its default place names, else the user that `make install` makes."""
    try:
        return dkimgate_yaml.load(dkimgate_yaml.DEFAULT_FILE).user or secret_file.ACCOUNT
    except ConfigError:
        return secret_file.ACCOUNT

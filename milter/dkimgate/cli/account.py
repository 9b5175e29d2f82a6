"""Whom the daemon of this host runs as: new keys and secrets are made for it."""

from __future__ import annotations

from dkimgate import config, secretfile
from dkimgate.yamlfile import ConfigError


def account() -> str:
    """The user that the configuration in its usual place names, else the one that `make install` makes."""
    try:
        return config.load(config.DEFAULT_FILE).user or secretfile.ACCOUNT
    except ConfigError:
        return secretfile.ACCOUNT

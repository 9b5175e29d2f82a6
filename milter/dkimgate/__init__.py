"""dkimgate: a milter that lets a message be DKIM-signed only if it has earned it."""

__version__ = "0.1.0"

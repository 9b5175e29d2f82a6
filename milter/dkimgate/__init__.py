"""dkimgate: a milter that lets a message be DKIM-signed only if it has earned it."""

__version__ = "1.0.0rc1"

"""The decision journal: a file of records, one a line, appended to by every process and thread at once."""

from dkimgate.journal.reader import Reader, backwards, files_of, follow
from dkimgate.journal.writer import Journal, JournalError

__all__ = ["Journal", "JournalError", "Reader", "backwards", "files_of", "follow"]

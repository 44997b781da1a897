"""Every way in which the log can refuse."""

from __future__ import annotations


class LogError(Exception):
    """The log did not do what it was asked; the message says what to do next."""


class LogBusy(LogError):  # noqa: N818 -- reads as a sentence where it is raised
    """Another process writes this log."""


class LogDamaged(LogError):  # noqa: N818
    """What is on disk is not what was signed. ``index`` is the first entry that is gone or altered, if that is known."""

    def __init__(self, message: str, index: int | None = None) -> None:
        """Keep the sentence and the entry."""
        super().__init__(message)
        self.index = index


class LogPruned(LogDamaged):
    """The entry was removed on purpose, and an entry says so: nothing is damaged, and it cannot be read any more."""


class LogPoisoned(LogError):  # noqa: N818
    """A write or fsync has failed: nothing more is accepted until the node restarts and recovers."""


class LogClosed(LogError):  # noqa: N818
    """The log was closed."""


class EntryTooLarge(LogError):  # noqa: N818
    """An entry is empty or over 65,535 bytes (C2SP tlog-tiles: bundles prefix them with a uint16), or its body over 4 MiB."""


class NoteInvalid(LogError):  # noqa: N818
    """A key, note or checkpoint is not well formed, or its signature does not hold."""


class KeyUnusable(LogError):  # noqa: N818
    """A key file is missing, malformed, or readable by others than its owner."""


class KeyForbidden(KeyUnusable):
    """This user may not read a key file, which may be as it should be."""


class KeyExposed(KeyUnusable):
    """A key file can be read by others than its owner."""


class KeyChangeBegun(KeyUnusable):
    """The new key of a change lies beside the log's key: until the change is finished neither signs anything."""

"""What has to stay of a log when its oldest segments go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.tlog.errors import LogDamaged
from proxy.tlog.pruned import Pruned
from proxy.tlog.recovery import load_edge, opening_of
from proxy.tlog.store import segments_of

if TYPE_CHECKING:
    from proxy.tlog.log import Log


def prunable(log: Log, first: int) -> Pruned:
    """Return what has to stay when the entries before ``first``, which begins a segment, are removed.

    Raises:
        ValueError: no segment begins there, or nothing lies before it.
        LogDamaged: the hash tiles do not reach so far.
    """
    here = next((segment for segment in segments_of(log.directory)[1:] if segment.first == first), None)
    if here is None:
        msg = f"no segment of the log begins at entry {first}, or nothing lies before it"
        raise ValueError(msg)
    opening = opening_of(here, log.verifier)
    rows = load_edge(log.directory, opening)
    if rows is None:
        msg = f"the hash tiles up to entry {first} are not published yet, or damaged: run `showcause audit verify`"
        raise LogDamaged(msg, first)
    return Pruned(checkpoint=opening, rows=rows, size=log.head.size)

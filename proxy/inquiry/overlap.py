"""Whether two routes could both mean the same request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.document import Mistake, Positions
    from proxy.inquiry.route import Route


def ambiguities(routes: Iterable[Route], positions: Positions) -> Iterator[Mistake]:
    """Yield a mistake for each two routes that could both mean the same request."""
    seen: list[Route] = []
    for route in routes:
        for other in seen:
            if route.method == other.method and _overlap(route, other):
                message = f"'{route.id}' and '{other.id}' could both mean the same request"
                yield positions.mistake(("routes", route.id, "path"), message, hint="narrow a parameter by `pattern`")
        seen.append(route)


def _overlap(one: Route, other: Route) -> bool:
    """Tell whether some path could match both: no place where two texts differ, or where a text is no value of the other's."""
    if len(one.template) != len(other.template):
        return False
    ours, theirs = iter(one.path_parameters), iter(other.path_parameters)
    for mine, yours in zip(one.template, other.template, strict=True):
        my_hole = next(ours) if mine is None else None
        your_hole = next(theirs) if yours is None else None
        if mine is not None and yours is not None and mine != yours:
            return False
        if mine is not None and your_hole is not None and not your_hole.admits(mine):
            return False
        if yours is not None and my_hole is not None and not my_hole.admits(yours):
            return False
    return True

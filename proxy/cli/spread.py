"""Options that several commands share, said once: a dataclass whose fields are options is one parameter of a command."""

from __future__ import annotations

import inspect
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes, for each parameter which is a dataclass, the fields of it; typer reads them as options."""
    taken: list[inspect.Parameter] = []
    made: dict[str, tuple[Callable[..., object], list[str]]] = {}
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        kind = parameter.annotation
        if isinstance(kind, type) and is_dataclass(kind):
            made[parameter.name] = kind, [field.name for field in fields(kind)]
            taken += inspect.signature(kind, eval_str=True).parameters.values()
        else:
            taken.append(parameter)

    @wraps(command)
    def called(**given: Any) -> None:
        for name, (kind, options) in made.items():
            given[name] = kind(**{option: given.pop(option) for option in options})
        command(**given)

    called.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in taken}
    return called

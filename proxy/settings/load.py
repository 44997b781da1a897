"""One YAML file, with single values overridden by the environment, becomes settings, or the list of all mistakes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel

from proxy.document import DocumentInvalid, Mistake, Positions, read_mapping, suggest, validate
from proxy.settings.model import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX: Final = "SHOWCAUSE_"
NOT_SETTINGS: Final = frozenset({"SHOWCAUSE_CONFIG", "SHOWCAUSE_KEY"})
"""Variables of the command line, which override nothing."""
_LINKS: Final = re.compile(r"SHOWCAUSE_(SERVICE_HOST|SERVICE_PORT\w*|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)\Z")
"""What Kubernetes puts into every pod beside a Service named showcause."""


class _Places(Positions):
    """Positions of the file, and for overridden values the variable's name in place of a line."""

    def __init__(self, file: Positions, variables: Mapping[tuple[str | int, ...], str]) -> None:
        super().__init__(file.file, "", None)
        self._document = file
        self._variables = variables

    def at(self, *path: str | int) -> tuple[int, int]:
        return self._document.at(*path)

    def value_at(self, *path: str | int) -> tuple[int, int]:
        return self._document.value_at(*path)

    def mistake(self, path: tuple[str | int, ...], message: str, *, value: bool = True, hint: str | None = None) -> Mistake:
        for length in range(len(path), 0, -1):
            if variable := self._variables.get(path[:length]):
                return _of_environment(variable, message, hint)
        if message.startswith("String should match pattern"):
            message, hint = "must be a host and path without blanks", "like records.example.gov/audit"
        beside = [
            variable for place, variable in self._variables.items() if len(path) > 1 and place[: len(path) - 1] == path[:-1]
        ]
        if hint is None and beside:
            hint = f"the environment sets {', '.join(beside)}"
        return self._document.mistake(path, message, value=value, hint=hint)


def load_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read the configuration file and put the environment's overrides over it.

    ``SHOWCAUSE_UPSTREAM__URL`` overrides ``upstream.url``; an empty variable is a null. Relative paths, of the file and of
    variables alike, are relative to the file's folder. A variable that names no setting is a mistake, since it was meant.

    Raises:
        DocumentInvalid: with every mistake of file and environment.
    """
    data, positions = read_mapping(path)
    mistakes: list[Mistake] = []
    variables: dict[tuple[str | int, ...], str] = {}
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS and not _LINKS.match(variable):
            try:
                variables[_override(data, variable, text)] = variable
            except LookupError as error:
                mistakes.append(_of_environment(variable, "names no setting", error.args[0]))
    _complete(data, Settings, path.absolute().parent)
    try:
        settings, _ = validate(data, Settings, _Places(positions, variables))
    except DocumentInvalid as invalid:
        mistakes.extend(invalid.mistakes)
    if mistakes:
        raise DocumentInvalid(mistakes)
    return settings


def _override(data: dict[str, Any], variable: str, text: str) -> tuple[str, ...]:
    """Put one variable's value into the data and return the path it went to.

    Raises:
        LookupError: there is no such setting; its argument is a hint.
    """
    path = tuple(variable.removeprefix(PREFIX).lower().split("__"))
    known = {"__".join(each): each for each in _leaves(Settings)}
    if "__".join(path) not in known:
        near = suggest("__".join(path), known)
        if near is not None:
            near = f"did you mean {PREFIX}{near.split(chr(39))[1].upper()}?"
        raise LookupError(near or "sections and names are joined by two underscores, as in SHOWCAUSE_UPSTREAM__URL")
    section: Any = data
    for step in path[:-1]:
        if section.get(step) is None:
            section[step] = {}
        section = section[step]
        if not isinstance(section, dict):
            return path  # validation says so, at the file's line
    section[path[-1]] = text or None
    return path


def _leaves(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        section = _section(field.annotation)
        if section is None:
            yield (*above, name)
        else:
            yield from _leaves(section, (*above, name))


def _complete(data: object, model: type[BaseModel], base: Path) -> None:
    """Make relative paths in ``data`` absolute and a section of comments alone an empty one, in place."""
    if not isinstance(data, dict):
        return
    for name, field in model.model_fields.items():
        value = data.get(name)
        section = _section(field.annotation)
        if section is not None:
            if value is None and name in data and type(None) not in get_args(field.annotation):
                value = data[name] = {}
            _complete(value, section, base)
        elif value and isinstance(value, str) and _is_path(field.annotation):
            data[name] = str(base / value)


def _section(annotation: object) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _is_path(annotation: object) -> bool:
    return annotation is Path or any(_is_path(part) for part in get_args(annotation))


def _of_environment(variable: str, message: str, hint: str | None) -> Mistake:
    return Mistake(file=Path("environment") / variable, line=1, column=1, message=message, help=hint)

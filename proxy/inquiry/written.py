"""``routes.yaml`` as it is written: which members may stand where, and what each may hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field as Constraint
from pydantic import StringConstraints

from proxy.document import Strict
from proxy.inquiry.parameter import LONGEST

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}(\.[A-Za-z_][A-Za-z0-9_-]{0,63}){0,7}$")]
ActionName = Annotated[str, StringConstraints(pattern=r"^[a-z]+(\.[a-z]+)+$")]
PathText = Annotated[str, StringConstraints(pattern=r"^/", max_length=512)]
MediaType = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$")]


class Parameter(Strict):
    """A parameter of the path, the query or the body."""

    kind: str | None = None
    pattern: str | None = None
    max_length: Annotated[int, Constraint(ge=1, le=LONGEST)] | None = None
    enum: list[str] = Constraint(default_factory=list)
    required: bool = False
    integer: bool = False
    match: Literal["exact", "prefix", "from", "to"] = "exact"
    least: Annotated[int, Constraint(ge=1, le=LONGEST)] | None = None


class Broad(Strict):
    """What is enough for the broad search beside the other, and its action."""

    action: ActionName
    require: Annotated[list[Annotated[list[Name], Constraint(min_length=1)]], Constraint(min_length=1)]
    most: Annotated[int, Constraint(ge=1, le=10000)] = 25


class Forward(Strict):
    """What the records server is asked instead."""

    path: PathText
    query: dict[Name, str | int] = Constraint(default_factory=dict)
    rename: dict[Name, Name] = Constraint(default_factory=dict)


class Field(Strict):
    """A member of a record."""

    kind: str | None = None
    field_class: Word = Constraint(alias="class")


class Absent(Strict):
    """What the records server says of a record that is not there."""

    status: Literal[200, 404]
    body: Any


class Opaque(Strict):
    """Replies that are not looked into."""

    media_types: Annotated[list[MediaType], Constraint(min_length=1)]


class Route(Strict):
    """One route, by its name under ``routes``."""

    method: Literal["GET", "POST"]
    path: PathText
    action: ActionName
    params: dict[Name, Parameter] = Constraint(default_factory=dict)
    body: dict[Name, Parameter] | None = None
    require: list[Annotated[list[Name], Constraint(min_length=1)]] = Constraint(default_factory=list)
    broad: Broad | None = None
    unsafe_unbounded: bool = False
    forward: Forward
    records: str | None = None
    shape: Word | None = None
    fields: dict[Name, Field] = Constraint(default_factory=dict)
    envelope: dict[Name, Literal["keep", "drop"]] = Constraint(default_factory=dict)
    most: Annotated[int, Constraint(ge=1, le=10000)] = 100
    cut: Annotated[int, Constraint(ge=2, le=100000)] | None = None
    absent: Absent
    opaque: Opaque | None = None
    officer_safety: bool = False
    gate: Literal["local", "local+witness", "local+pg"] | None = None


class Document(Strict):
    """The whole file."""

    shapes: dict[Word, dict[Name, Field]] = Constraint(default_factory=dict)
    routes: Annotated[dict[Word, Route], Constraint(min_length=1)]

"""How long entries are kept: never less than the floor, and not longer than the ceiling where there is one."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from proxy.settings.parts import Section, number

YEAR_DAYS: Final = 366
"""NCIC 2000 Operating Manual and CJIS Security Policy AU-11: logs are kept for at least one year, and some have 366 days."""

Days = Annotated[int, BeforeValidator(number), Field(ge=YEAR_DAYS, le=36_525)]


class RetentionSettings(Section):
    """Days. Without a ceiling nothing is pruned but by ``audit prune --before``, and never what is under the floor."""

    floor_days: Days = YEAR_DAYS
    ceiling_days: Days | None = None

    @field_validator("ceiling_days")
    @classmethod
    def _above(cls, ceiling: int | None, info: ValidationInfo) -> int | None:
        if ceiling is not None and ceiling < info.data.get("floor_days", YEAR_DAYS):
            msg = "must not be less than 'floor_days': an entry would have to be kept and to go"
            raise ValueError(msg)
        return ceiling

"""Showcause: an access-control reverse proxy that makes every query of a police records database show cause."""

from typing import Final

__version__: Final = "0.1.0"

"""Who recognizes while queries run: whichever state of the registry is in place, as long as it may be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.registry.store import RegistryUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from proxy.clock import Clock
    from proxy.identity.principal import Principal
    from proxy.registry.protection import Protection, Recognition
    from proxy.registry.recognition import Snapshot
    from proxy.registry.thresholds import Thresholds
    from proxy.telemetry import Metrics


class RegistryRecognizer:
    """Implements ``protection.Recognizer`` on whichever state is in place."""

    def __init__(self, clock: Clock, metrics: Metrics | None, monotonic: Callable[[], float]) -> None:
        """Start without a state: not ready."""
        self._clock = clock
        self._observe = metrics.recognition_seconds.observe if metrics else None
        self._monotonic = monotonic
        self._snapshot: Snapshot | None = None
        self._good_until: datetime | None = None

    @property
    def ready(self) -> bool:
        """Tell whether the registry is loaded, believed and fresh."""
        return self._good_until is not None and self._clock() < self._good_until

    def asks_for_more(self, criteria: Mapping[str, Sequence[str]], under: Thresholds | None = None) -> bool:
        """Tell whether criteria are too little for so large a registry, whomever they mean.

        Raises:
            RegistryUnreadable: nothing is loaded.
        """
        return self._loaded().asks_for_more(criteria, under)

    def recognize(
        self, fields: Mapping[str, Sequence[str]], principal: Principal, under: Thresholds | None = None
    ) -> Recognition:
        """Recognize criteria or one record.

        Raises:
            RegistryUnreadable: nothing is loaded.
            TooManyNames: there are more names than are worth trying; it must be treated as unreadable.
        """
        begun = self._monotonic()
        recognition = self._loaded().recognize(fields, principal, self._clock, under)
        if self._observe is not None:
            self._observe(self._monotonic() - begun)
        return recognition

    def protections(self, fields: Mapping[str, Sequence[str]]) -> tuple[Protection, ...]:
        """Return everybody protected who is concerned, whoever asks. Raises as ``recognize`` does."""
        return self._loaded().protections(fields, self._clock)

    def rank(self, person: str, agency: str) -> str:
        """Return somebody's rank in an agency, or nothing where it is not known. Raises as ``recognize`` does."""
        return self._loaded().colleagues.rank(person, agency)

    def employed(self, person: str) -> bool:
        """Tell whether somebody is in the personnel directory. Raises as ``recognize`` does."""
        return self._loaded().colleagues.employed(person)

    def close(self, one: str, other: str) -> bool:
        """Tell whether two of the personnel are close to one another. Raises as ``recognize`` does."""
        return self._loaded().colleagues.close(one, other)

    def swap(self, snapshot: Snapshot) -> None:
        """Put a newly built state in place."""
        self._snapshot = snapshot

    def trust(self, until: datetime | None) -> None:
        """Be ready until then, or, with None, not at all."""
        self._good_until = until

    def _loaded(self) -> Snapshot:
        if self._snapshot is None:
            raise RegistryUnreadable("The registry of protected persons is not loaded.")
        return self._snapshot

"""Whom a verifier believes: keys that come from elsewhere than the bundle, for a bundle can hold any key it likes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.tlog.errors import NoteInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.x509 import Certificate

    from proxy.tlog.cosign import WitnessPolicy
    from proxy.tlog.note import Checkpoint, Verifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The log's keys (one, unless it was rotated), the witnesses' policy, and time-stamping authorities, as far as given."""

    logs: Sequence[Verifier]
    witnesses: WitnessPolicy | None = None
    authorities: Sequence[Certificate] = ()

    def checkpoint(self, text: str) -> tuple[Checkpoint, Mapping[str, int]]:
        """Return a checkpoint that the log and enough witnesses have signed, and when each of these did (POSIX seconds).

        Raises:
            NoteInvalid: it is malformed, or a signature is missing or does not hold.
        """
        checkpoint = self.signed(text)
        if self.witnesses is None:
            return checkpoint, {}
        failure = NoteInvalid("no key of the log was given")
        for verifier in self.logs:
            try:
                return checkpoint, self.witnesses.check(text, verifier).times
            except NoteInvalid as error:
                failure = error
        raise failure

    def signed(self, text: str) -> Checkpoint:
        """Return a checkpoint that the log has signed.

        Raises:
            NoteInvalid: it is malformed, or not signed by any of the keys.
        """
        failure = NoteInvalid("no key of the log was given")
        for verifier in self.logs:
            try:
                return verifier.checkpoint(text)
            except NoteInvalid as error:
                failure = error
        raise failure

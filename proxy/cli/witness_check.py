"""What ``doctor`` sees of the witnesses: whether the policy can be met, whether each answers, and what it knows of this log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.cli.wire import ExchangeFailed, client_context, exchange
from proxy.tlog.cosign import PolicyInvalid, WitnessPolicy
from proxy.tlog.errors import NoteInvalid
from proxy.tlog.note import parse_unverified
from proxy.tlog.store import CHECKPOINT
from proxy.tlog.submission import encode

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.settings import Settings
    from proxy.tlog.cosign import Witness

_TELL: Final = "tell its operator the log's verifier key, by another way than the network"
_AHEAD: Final = "see the runbook, at ShowcauseAuditContradicted"


def policy_trouble(settings: Settings) -> tuple[str, str] | None:
    """Return why nothing starts with the policy of witnesses that is configured, and what to do; None when it is right."""
    path = settings.audit.witnesses
    if path is None:
        return None
    try:
        policy = WitnessPolicy.read(path)
        policy.require(settings.origin)
    except PolicyInvalid as error:
        return str(error), "deploy/witness.md shows a policy file"
    except NoteInvalid as error:
        return f"{path}: {error}", "put the verifier key into it that `doctor` prints at keys.checkpoint"
    except OSError as error:
        return f"{path}: {error.strerror or error}", "deploy/witness.md shows a policy file"
    if policy.quorum == "none" or not policy.satisfied([each.name for each in policy.witnesses.values() if each.url]):
        return f"{path}: the quorum {policy.quorum} cannot be met", "give its witnesses their URLs"
    return None


def witness_troubles(settings: Settings, *, running: bool) -> Iterator[tuple[str, str, str]]:
    """Yield for each witness that can be asked: what, what is the case, and what to do, if anything.

    Each is shown the log's published checkpoint as if it knew nothing, so it tells the size it knows. ``running`` is whether a
    server writes the log: then witnesses may be ahead of what is published.
    """
    path = settings.audit.witnesses
    if path is None:
        return
    try:
        policy = WitnessPolicy.read(path)
        tls = client_context(settings.audit.ca, None, None) if settings.audit.ca is not None else None
    except (PolicyInvalid, OSError):
        return  # ``policy_trouble`` tells
    except ExchangeFailed as error:
        yield "witnesses", str(error), "name the witnesses' authority as audit.ca, in PEM"
        return
    checkpoint = _published(settings.log)
    for witness in policy.witnesses.values():
        if witness.url:
            yield f"witness {witness.name}", *_asked(witness, checkpoint, tls, running=running)


def _published(folder: Path) -> str | None:
    try:
        text = (folder / CHECKPOINT).read_text(encoding="utf-8")
        parse_unverified(text)
    except (OSError, NoteInvalid, UnicodeDecodeError):
        return None
    return text


def _asked(witness: Witness, checkpoint: str | None, tls: ssl.SSLContext | None, *, running: bool) -> tuple[str, str]:
    if checkpoint is None:
        return "not asked: the log has published nothing yet", ""
    base, _, path = witness.url.rstrip("/").partition("://")
    host, _, prefix = path.partition("/")
    target = f"/{prefix}/add-checkpoint" if prefix else "/add-checkpoint"
    headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "showcause-cli"}
    try:
        answer = exchange(
            f"{base}://{host}", "POST", target, headers=headers, body=encode(0, (), checkpoint), tls=tls, seconds=5
        )
    except ExchangeFailed as error:
        return str(error), "call the witness's office; the network, its certificate, or the URL in the policy file"
    said = answer.body.decode("utf-8", "replace").strip()
    size = parse_unverified(checkpoint).size
    if answer.status == 409 and said.isascii() and said.isdigit() and len(said) < 20:
        known = int(said)
        ahead = known > size and not running
        return f"knows {known} entries, {size} are published here", _AHEAD if ahead else ""
    return {
        200: (f"signs; it had not known this log before and knows {size} entries now", ""),
        403: (f"does not know the log's key: {said[:200]}", _TELL),
        404: ("does not know this log", _TELL),
    }.get(answer.status, (f"says {answer.status}: {said[:200]}", "call the witness's office"))

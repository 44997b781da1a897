"""``policy activate``: what loosens the policy is proposed by one person and agreed to by another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from proxy.cli.common import (
    DEFAULT_CONFIG,
    Code,
    CommandFailed,
    ConfigOption,
    JsonOption,
    done,
    emit,
    progress,
    say,
    settings_of,
)
from proxy.cli.policies import counted
from proxy.cli.recording import operator, recording, sealer_of
from proxy.clock import stamp, utc_now
from proxy.policy.activation import (
    ApproverIsProposer,
    PolicyProposalStale,
    PolicyProposalUnknown,
    PolicyUnreadable,
    version_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.policy.activating import Activations
    from proxy.policy.activation import Active
    from proxy.policy.edits import Edit
    from proxy.policy.service import PolicySet
    from proxy.settings import Settings

app = typer.Typer()

MOST_REASON: Final = 1000
SOON: Final = "a running server takes it within seconds, and the next start does"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """The folder's policy, held against the activated one."""

    active: Active | None
    loaded: PolicySet
    edits: Sequence[Edit]

    @property
    def loosening(self) -> Sequence[Edit]:
        return [edit for edit in self.edits if edit.loosens]


@app.command()
def activate(
    *,
    reason: Annotated[str, typer.Option("--reason", help="Propose what the folder holds, and why; it goes into the log.")] = "",
    approve: Annotated[str, typer.Option("--approve", metavar="ID", help="Agree, as a second person, to a proposal.")] = "",
    refuse: Annotated[str, typer.Option("--refuse", metavar="ID", help="Refuse a proposal, or withdraw your own.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show what the folder would change of the policy that rules, what loosens it first; with --reason, propose it.

    What loosens nothing needs no proposal: it is taken by being saved. Exit 1 when something loosens and waits.
    """
    if approve and refuse:
        raise CommandFailed("agree to a proposal or refuse it, not both", code=Code.WRONG_USE)
    settings = settings_of(config)
    try:
        asyncio.run(_run(settings, _said(reason, refuse), approve, refuse, as_json=as_json))
    except (PolicyProposalUnknown, PolicyProposalStale, ApproverIsProposer) as refused:
        raise CommandFailed(str(refused), code=Code.WRONG_USE) from None


async def _run(settings: Settings, reason: str, approve: str, refuse: str, *, as_json: bool) -> None:
    from proxy.policy.activating import Activations  # noqa: PLC0415 -- Casbin takes its time

    async with recording(settings) as recorder:
        activations = Activations(recorder.database, sealer_of(settings), recorder.outbox, utc_now)
        if refuse:
            gone = await activations.refuse(refuse, by=operator(), reason=reason)
            _tell(as_json, {"refused": gone.id, "version": version_of(gone.after)}, f"{gone.id} is refused; nothing changes")
            return
        compared = await _compare(settings, activations)
        if not as_json:
            for edit in compared.edits:
                say(str(edit))
            say(_promised(compared.loaded))
        if approve:
            agreed = await activations.approve(approve, compared.loaded, compared.edits, by=operator())
            words = f"version {version_of(agreed.after)} is activated, as {agreed.by} proposed; {SOON}"
            _tell(as_json, _row(compared) | {"activated": compared.loaded.version, "proposal": agreed.id}, words)
            return
        await _propose(settings, activations, compared, reason, as_json=as_json)


async def _compare(settings: Settings, activations: Activations) -> _Compared:
    """Hold the folder against the activated policy.

    Raises:
        DocumentInvalid: the folder has mistakes.
    """
    from proxy.policy.activating import load_files  # noqa: PLC0415 -- likewise
    from proxy.policy.edits import Edit, edits  # noqa: PLC0415
    from proxy.policy.service import load_policies  # noqa: PLC0415

    loaded = await asyncio.to_thread(load_policies, settings.policies)
    active = await activations.store.active()
    if active is None or active.digest == loaded.digest:
        return _Compared(active=active, loaded=loaded, edits=())
    try:
        before = await asyncio.to_thread(load_files, active.files, settings.policies)
    except PolicyUnreadable:
        unknown = "the activated policy cannot be loaded by this version of the program, so nothing is shown to be as strict"
        return _Compared(active=active, loaded=loaded, edits=[Edit("all files", loosens=True, what=unknown)])
    return _Compared(active=active, loaded=loaded, edits=await asyncio.to_thread(edits, before, loaded))


def _promised(loaded: PolicySet) -> str:
    """Return what the folder's policy is held against: no part of it, so that an edit there shows in no difference.

    Raises:
        DocumentInvalid: it cannot be read.
    """
    from proxy.policy.gate import load_promises  # noqa: PLC0415 -- Casbin takes its time

    promises = load_promises(loaded)
    cases, invariants = counted(len(promises.cases), "case"), counted(len(promises.invariants), "invariant")
    return f"held against {cases} and {invariants}; `policy diff` tells which of them are gone"


async def _propose(settings: Settings, activations: Activations, compared: _Compared, reason: str, *, as_json: bool) -> None:
    """Propose what the folder holds, unless it needs no proposal, or there is one.

    Raises:
        DocumentInvalid: the folder's policy fails a gate, so nobody should be asked to agree to it.
    """
    from proxy.policy.gate import load_gated  # noqa: PLC0415 -- Casbin takes its time

    active, loaded = compared.active, compared.loaded
    row = _row(compared)
    if active is None:
        _tell(as_json, row, "no policy was activated yet; the first start adopts the folder as it is")
        return
    if active.digest == loaded.digest:
        _tell(as_json, row, f"version {loaded.version} is activated already")
        return
    if not compared.loosening:
        _tell(as_json, row, f"version {loaded.version} loosens nothing, so it needs no second person; {SOON}")
        return
    count = len(compared.loosening)
    proposals = await activations.proposals()
    proposal = next((each for each in proposals if (each.before, each.after) == (active.digest, loaded.digest)), None)
    if proposal is None and not reason:
        words = f"version {loaded.version} loosens {count} thing{'s' if count > 1 else ''}; to propose it, say why: --reason"
        _tell(as_json, row, words)
        raise done(Code.FOUND)
    if proposal is None:
        with progress("asking every question"):
            loaded = await asyncio.to_thread(load_gated, settings.policies)
        if loaded.digest != compared.loaded.digest:
            raise CommandFailed("the folder was changed meanwhile", help="look at the differences again", code=Code.FOUND)
        proposal = await activations.propose(loaded, count, instead_of=active.digest, by=operator(), reason=reason)
    words = (
        f"version {loaded.version} is proposed by {proposal.by} ({proposal.reason}); nothing changes until another person "
        f"agrees, by {stamp(proposal.expires)}: `policy activate --approve {proposal.id}`"
    )
    _tell(as_json, row | {"proposal": proposal.id, "by": proposal.by, "expires": stamp(proposal.expires)}, words)
    raise done(Code.FOUND)


def _said(reason: str, refuse: str) -> str:
    if (refuse and not reason.strip()) or len(reason) > MOST_REASON:
        message = f"the reason is empty, or longer than {MOST_REASON} characters"
        raise CommandFailed(message, help="say why: --reason", code=Code.WRONG_USE)
    return reason.strip()


def _row(compared: _Compared) -> dict[str, object]:
    return {
        "active": compared.active.version if compared.active else None,
        "folder": compared.loaded.version,
        "loosens": len(compared.loosening),
        "edits": [{"file": edit.file, "loosens": edit.loosens, "what": edit.what} for edit in compared.edits],
    }


def _tell(as_json: bool, row: dict[str, object], words: str) -> None:  # noqa: FBT001 -- told apart at every call
    emit(row) if as_json else say(words)

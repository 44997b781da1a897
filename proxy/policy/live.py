"""The policy that rules in a running server: one reference, exchanged whole.

The folder is looked at every second. What has changed and stood still is judged aside, in a process of its own: it goes through
every gate, and is held against the policy that rules. If it loosens nothing it is activated, and only then exchanged, in one
step with everything that was built from the policy: no query sees half of one, and none waits. Else, or with a mistake in it,
the old one rules on, and the operator is told why. What two persons activated by command is noticed in the store.

A start is the same, against the policy that was activated last. So a folder that was loosened while nothing ran does not rule
either; only the very first start adopts it as it is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from proxy.document import DocumentInvalid
from proxy.policy.activation import version_of
from proxy.policy.activation_events import PolicyHeld
from proxy.policy.edits import loosening
from proxy.policy.folder import Watch
from proxy.policy.judging import judge_aside
from proxy.policy.overlays import PATTERN
from proxy.policy.service import FILES, load_policies, policy_files
from proxy.policy.shadow import Shadow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from proxy.document import Mistake
    from proxy.policy.activating import Activations
    from proxy.policy.activation import Active
    from proxy.policy.aside import Judged
    from proxy.policy.edits import Edit
    from proxy.policy.service import PolicySet
    from proxy.telemetry import Metrics

MISTAKES: Final = "mistakes"
LOOSENS: Final = "loosens"
PUT_BACK: Final = "put-back"
POLICY: Final = (*FILES, PATTERN)
"""Every file that may be of a policy."""

BESIDE: Final = ("invariants.yaml", "cases/*.yaml", "overlays/*/invariants.yaml", "overlays/*/cases/*.yaml")
"""What the gates hold a policy against: a case that is put right can let through a policy that failed it."""
MOST_TOLD: Final = 20
"""Lines of the operator's log for one edit; `policy activate` shows all."""


class Tell(Protocol):
    """The operator's log: an event in words, and fields that it may show."""

    def __call__(self, event: str, **fields: object) -> object:
        """Write a line."""
        ...


class LivePolicy:
    """Implements what the street asks for: the policy in force, and the candidate beside it."""

    def __init__(
        self,
        *,
        folder: Path,
        candidate: Path | None,
        activations: Activations,
        load: Callable[[Path], PolicySet],
        metrics: Metrics,
        tell: Tell,
        judge: Callable[[Path, Mapping[str, bytes]], Awaitable[Judged]] = judge_aside,
    ) -> None:
        """Take the folder, the candidate's if there is one, and how a folder is loaded and judged; nothing is read yet."""
        self._folder = folder
        self._activations = activations
        self._load = load
        self._metrics = metrics
        self._tell = tell
        self._judges = judge
        self._watch = Watch(folder, policy_files, (*POLICY, *BESIDE))
        self._candidate = Watch(candidate, policy_files, POLICY) if candidate is not None else None
        self._live: PolicySet | None = None
        self._shadow: Shadow | None = None
        self._generation = -1
        self._since: datetime | None = None
        self._put_back = ""
        self._followers: list[Callable[[PolicySet], None]] = []
        self._held = ""
        self._candidate_trouble = ""

    @property
    def policies(self) -> PolicySet:
        """Return the policy in force."""
        assert self._live is not None, "not started"
        return self._live

    @property
    def shadow(self) -> Shadow | None:
        """Return the candidate that rules beside it, if there is one and it could be loaded."""
        return self._shadow

    @property
    def reason(self) -> str:
        """Return what the operator has to know: which version rules, and why the folder's does not."""
        words = [f"version {self.policies.version}", self._put_back, self._held, self._candidate_trouble]
        if self._shadow is not None:
            words.insert(1, f"version {self._shadow.version} rules beside it")
        return "; ".join(word for word in words if word)

    def follow(self, follower: Callable[[PolicySet], None]) -> None:
        """Have whoever was built from the policy told of each other one, in the same step as the exchange."""
        self._followers.append(follower)

    def look_anew(self) -> None:
        """Judge what the folders hold at the next stable look, also when it was judged before (SIGHUP)."""
        self._watch.forget()
        if self._candidate is not None:
            self._candidate.forget()

    async def start(self) -> None:
        """Put the activated policy in force, or adopt the folder's at the very first start.

        Raises:
            DocumentInvalid: nothing was ever activated, and the folder has mistakes.
            PolicyUnreadable: what was activated was altered, or this program cannot load it.
            DatabaseUnusable: the store cannot be read.
        """
        self._generation = self._activations.store.generation()
        active = await self._activations.store.active()
        if active is None:
            self._watch.begin()
            loaded = await asyncio.to_thread(self._load, self._folder)
            if await self._activations.adopt(loaded):
                self._exchange(loaded)
                await self._judge_candidate(begin=True)
                return
            active = await self._activations.store.active()
            assert active is not None
        await self._resume(active)
        await self._judge_candidate(begin=True)

    async def turn(self) -> None:
        """Notice and do what there is to do; called every second.

        Raises:
            PolicyUnreadable, DatabaseUnusable: the old policy rules on, and the next turn tries anew.
        """
        await self._obey()
        if (digest := await asyncio.to_thread(self._watch.look)) is not None:
            try:
                await self._judge(digest)
            except BaseException:
                self._watch.forget()
                raise
        await self._judge_candidate()

    async def _resume(self, active: Active) -> None:
        """Begin with what was activated; what else the folder holds is judged once it has stood still, as at any time."""
        digest = await asyncio.to_thread(self._watch.begin)
        self._exchange(await self._activations.loaded(active, self._folder, self._load))
        self._since = active.at
        if digest != active.digest:
            self._watch.forget()
            self._hold("the folder holds another policy, which is about to be judged")

    async def _obey(self) -> None:
        """Put in force what was activated elsewhere."""
        generation = self._activations.store.generation()
        if generation == self._generation:
            return
        active = await self._activations.store.active()
        if active is not None and self._since is not None and active.at < self._since:
            # Genuine, and of an earlier time: whoever can write the store, and cannot seal, put back what was looser.
            await self._hold_put_back(active)
            self._generation = generation
            return
        self._put_back = ""
        self._since = active.at if active is not None else self._since
        if active is not None and active.digest != self.policies.digest:
            self._exchange(await self._activations.loaded(active, self._folder, self._load))
            # What the folder holds is judged by another policy now.
            self._watch.forget()
        self._generation = generation

    async def _judge(self, digest: str) -> None:
        """Decide about what the folder holds, ``digest`` of which has stood still."""
        live = self.policies
        if digest == live.digest:
            self._release()
            return
        self._hold(f"version {version_of(digest)} in the folder is being judged")
        judged = await self._judges(self._folder, live.contents)
        if judged.mistakes:
            await self._hold_mistakes(judged.mistakes, digest)
        elif judged.digest != digest:
            self._watch.forget()  # it was changed again while it was read
        elif needing := loosening(judged.edits):
            await self._hold_loosening(needing, digest)
        else:
            await self._take(judged, live)

    async def _take(self, judged: Judged, live: PolicySet) -> None:
        """Activate what loosens nothing, and put it in force."""
        try:
            loaded = await asyncio.to_thread(self._load, self._folder)
        except DocumentInvalid:
            self._watch.forget()  # spoiled meanwhile: told at the next turns
            return
        same = loaded.digest == judged.digest
        if same and await self._activations.take(loaded, judged.edits, instead_of=live.digest):
            self._exchange(loaded)
        else:
            self._watch.forget()  # changed meanwhile, here or in the store: judged again at the next turns

    def _exchange(self, policies: PolicySet) -> None:
        """Put a policy in force: one turn of the loop, from one reference to the other, with everybody who follows."""
        before, self._live = self._live, policies
        for follower in self._followers:
            follower(policies)
        self._metrics.policy_info.info({"version": policies.version})
        self._release()
        if before is not None:
            self._tell("policy in force", version=policies.version, reason=f"in the place of version {before.version}")

    def _release(self) -> None:
        self._held = ""
        self._metrics.policy_waiting.set(0)

    async def _hold_mistakes(self, mistakes: Sequence[Mistake], digest: str) -> None:
        count, first = len(mistakes), mistakes[0]
        self._metrics.policy_reload_failures_total.inc()
        more = f", and {count - 1} more" if count > 1 else ""
        self._hold(
            f"the folder's policy does not rule ({_where(first)}: {first.message}{more}): `policy check` and `policy test`"
        )
        for mistake in mistakes[:MOST_TOLD]:
            self._tell("policy file has a mistake", where=_where(mistake), reason=mistake.message, path=str(mistake.file))
        await self._note(digest, MISTAKES, count)

    async def _hold_loosening(self, needing: Sequence[Edit], digest: str) -> None:
        count, version = len(needing), version_of(digest)
        self._hold(
            f"version {version} in the folder waits for two persons, since it loosens {count} "
            f"thing{'s' if count > 1 else ''}: `policy activate`"
        )
        for edit in needing[:MOST_TOLD]:
            self._tell("policy waits for two persons", version=version, file=edit.file, reason=edit.what)
        await self._note(digest, LOOSENS, count)

    async def _hold_put_back(self, active: Active) -> None:
        self._put_back = (
            f"the store holds version {active.version} again, which was activated before; it does not rule. Put the store back "
            "as it was, or have a policy activated anew"
        )
        self._metrics.policy_waiting.set(1)
        self._tell("policy was put back in the store", version=active.version, reason=self._put_back)
        await self._note(active.digest, PUT_BACK, 1)

    def _hold(self, why: str) -> None:
        self._held = why
        self._metrics.policy_waiting.set(1)

    async def _note(self, digest: str, why: str, count: int) -> None:
        await self._activations.note(PolicyHeld(before=self.policies.digest, after=digest, why=why, count=count))

    async def _judge_candidate(self, *, begin: bool = False) -> None:
        """Load the candidate aside, if it has changed; whatever is wrong with it is told, and nothing more."""
        watch = self._candidate
        if watch is None:
            return
        changed = await asyncio.to_thread(watch.begin if begin else watch.look)
        if changed is None:
            return
        try:
            loaded = await asyncio.to_thread(load_policies, watch.folder)
        except DocumentInvalid as invalid:
            first = invalid.mistakes[0]
            self._shadow = None
            self._candidate_trouble = f"the candidate cannot be loaded ({_where(first)}: {first.message})"
            for mistake in invalid.mistakes:
                self._tell("candidate has a mistake", where=_where(mistake), reason=mistake.message, path=str(mistake.file))
        else:
            self._shadow, self._candidate_trouble = Shadow(loaded.lattice, loaded.version), ""
            self._tell("candidate rules beside the policy", version=loaded.version)


def _where(mistake: Mistake) -> str:
    return f"{mistake.file.name}:{mistake.line}:{mistake.column}"

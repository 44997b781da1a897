"""An identity provider and all that belongs to it, made and opened together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.identity.denylist import Denylist
from proxy.identity.jwks import Keys
from proxy.identity.logout import BackChannel
from proxy.identity.oidc import OidcLogin
from proxy.identity.people import People
from proxy.identity.proof import Proof, load_proof
from proxy.identity.provider import Provider
from proxy.identity.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.audit.outbox import Outbox
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.identity.claims import Reason
    from proxy.identity.options import OidcOptions


class SignIn:
    """One identity provider. Open before use, close after."""

    def __init__(
        self,
        options: OidcOptions,
        *,
        database: Database,
        outbox: Outbox,
        clock: Clock,
        monotonic: Callable[[], float],
        randomness: Callable[[int], bytes],
        tell: Callable[[Reason, str], None],
    ) -> None:
        """Wire it; nothing is opened yet. ``tell`` hears why a token or a sign-in was refused, for the operator."""
        self._options = options
        self._randomness = randomness
        self._proof: Proof | None = None
        self.provider = Provider(options.provider, monotonic=monotonic)
        self.keys = Keys(
            self.provider.keys,
            algorithms=options.rules.algorithms,
            fresh_seconds=options.fresh_seconds,
            stale_seconds=options.stale_seconds,
            monotonic=monotonic,
        )
        self.denylist = Denylist(database)
        self.people = People(database, clock=clock, within=options.known)
        self.tokens = Tokens(keys=self.keys, rules=options.rules, denylist=self.denylist, people=self.people, tell=tell)
        self.login = OidcLogin(
            provider=self.provider,
            keys=self.keys,
            rules=options.rules,
            proof=self._loaded,
            denylist=self.denylist,
            people=self.people,
            redirect=options.redirect,
            after_logout=options.after_logout,
            scopes=options.scopes,
            clock=clock,
            randomness=randomness,
            tell=tell,
        )
        self.back_channel = BackChannel(
            keys=self.keys,
            rules=options.rules,
            database=database,
            denylist=self.denylist,
            outbox=outbox,
            clock=clock,
            tell=tell,
        )

    async def open(self) -> None:
        """Read the files. A provider that is not there does not stop the start: keys and its tokens come when it answers.

        Raises:
            KeyUnusable: the client's secret or key cannot be used.
            ProviderTrouble: the file of authorities cannot be used.
        """
        options = self._options
        self._proof = load_proof(
            options.rules.client_id, secret=options.secret, key=options.key, token_id=lambda: self._randomness(16).hex()
        )
        await self.provider.open()

    async def close(self) -> None:
        """End what is under way; closing twice is harmless."""
        await self.keys.close()
        await self.provider.close()

    @property
    def trouble(self) -> str:
        """Return what is wrong with the provider, in words for the operator; empty when nothing is."""
        return self.keys.trouble

    def _loaded(self) -> Proof:
        assert self._proof is not None
        return self._proof

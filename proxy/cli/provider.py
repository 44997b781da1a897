"""What ``check`` and ``doctor`` look at of an identity provider: the roles that its groups give, its files, and its answers."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from proxy.cli.seen import Level, Seen, dated, loaded
from proxy.document import suggest
from proxy.identity.discovery import ProviderTrouble
from proxy.identity.keyset import read_keys
from proxy.identity.proof import load_proof
from proxy.identity.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from proxy.clock import Clock
    from proxy.document import Mistake, Positions
    from proxy.identity.discovery import Metadata
    from proxy.settings import OidcSettings, Settings


def role_mistakes(chosen: OidcSettings, roles: Collection[str], positions: Positions) -> Iterator[Mistake]:
    """Yield each group that gives a role which policy does not know: whoever is in it would be denied everything."""
    for group, role in chosen.roles.items():
        if role not in roles:
            hint = suggest(role, roles) or f"the roles are {', '.join(roles)}"
            yield positions.mistake(("oidc", "roles", group), f"there is no role '{role}' in vocabulary.yaml", hint=hint)


def examine_provider(settings: Settings, clock: Clock, *, network: bool = True) -> Iterator[Seen]:
    """Look at the provider's files, and ask it what it says of itself and which keys it has."""
    chosen = settings.oidc
    if chosen is None:
        return
    proof = partial(load_proof, chosen.client_id, secret=chosen.client_secret, key=chosen.client_key, token_id=str)
    yield loaded("oidc.client_key" if chosen.client_key is not None else "oidc.client_secret", proof)
    if chosen.ca is not None:
        yield dated("oidc.ca", chosen.ca, clock())
    if chosen.unsafe_single_factor or chosen.unsafe_untyped_tokens:
        named = [name for name in ("unsafe_single_factor", "unsafe_untyped_tokens") if getattr(chosen, name)]
        hint = "have the provider demand a second factor, and issue at+jwt (RFC 9068), as oidc.md says"
        yield Seen(part="oidc", level=Level.WARNING, detail=f"{' and '.join(named)} is set", next=hint)
    if network:
        yield _asked(chosen)


def _asked(chosen: OidcSettings) -> Seen:
    part = "identity provider"
    try:
        metadata, keys = asyncio.run(_ask(chosen))
    except ProviderTrouble as trouble:
        hint = "check oidc.issuer, letter by letter, that the provider runs, and the firewall between"
        return Seen(part=part, level=Level.FAILURE, detail=str(trouble), next=hint)
    detail = f"it answers, with {keys} key{'s' if keys > 1 else ''} for signatures by {', '.join(chosen.algorithms)}"
    if not metadata.tells_issuer:
        hint = "nothing, if it is the only provider that browsers here sign in to; else have it name itself (RFC 9207)"
        return Seen(part=part, level=Level.WARNING, detail=f"{detail}; its answers do not say whose they are", next=hint)
    return Seen(part=part, level=Level.OK, detail=detail)


async def _ask(chosen: OidcSettings) -> tuple[Metadata, int]:
    provider = Provider(chosen.options().provider, monotonic=time.monotonic)
    try:
        await provider.open()
        metadata = await provider.metadata()
        return metadata, len({kid for kid, _ in read_keys(await provider.keys(), chosen.algorithms)})
    finally:
        await provider.close()

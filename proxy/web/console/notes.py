"""What a page says after something was done: a closed list, so that no link can put words on our pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTES: Final[Mapping[str, str]] = {
    "signed-out": "You are signed out.",
    "signed-out-everywhere": "You are signed out everywhere.",
    "idle": "You were signed out because nothing was done for 15 minutes. Sign in to go on.",
    "absolute": "You were signed out because you signed in 12 hours ago. Sign in to go on.",
    "revoked": "You were signed out because your key or certificate is no longer good.",
    "identity-provider": "You were signed out because the identity provider, or the identity desk, ended your session.",
    "ended": "Your sign-in is over: sign in again. Nothing was done.",
    "approved": "Approved. The officer's query answers now, once.",
    "agreed": "You agreed. Another person has to agree as well.",
    "asked": "Asked. The officer reads your question, and can add to the statement.",
    "added": "Added. Who decides reads it.",
    "canceled": "Taken back.",
    "refused": "Refused. The officer reads your reason.",
    "passkey-registered": "Your passkey is registered. You confirm approvals with it from now on.",
    "passkey-revoked": "The passkey is revoked. It confirms nothing any more.",
    "reviewed": "Your review is in the log.",
    "noted": "Noted.",
    "locked-now": "Locked. It holds from this moment on, on every node; another person has to lift it.",
    "lifted": "Lifted. What it stopped is ruled on by policy again.",
    "handed-on": "They stand in for you as said below.",
    "ended-delegation": "Ended. Nobody stands in for anybody by it any more.",
    "refused-all": "Refused. The officers read your reason.",
}

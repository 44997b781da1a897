"""A mitmproxy add-on that parses every JSON body, as one would before masking it. Runs in mitmproxy's environment."""

from __future__ import annotations

import json
from typing import Any


def response(flow: Any) -> None:
    """Parse the answer."""
    flow.metadata["records"] = json.loads(flow.response.content)

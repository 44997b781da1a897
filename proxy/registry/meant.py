r"""What a record's text says to whoever reads it on a screen, where programs on its way have written it for themselves.

Old systems keep what a page was made of (``O&#39;Brien``), what a program or JSON was (``O\u0027Brien``, ``\n`` where a line
ends), or UTF-8 that was once read as Windows-1252 (``Oâ€™Brien``). The officer's screen shows the name, so it is recognized.
What is released is not touched.
"""

# ruff: noqa: RUF001 -- what a misread text looks like is the point
from __future__ import annotations

import html
import re
from typing import Final

_TIMES: Final = 3
"""So often may a text have been written for a page: ``&amp;#39;``."""
# With its semicolon only: J&REGAN is no registered trade mark.
_REFERENCE: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# Not of a surrogate, which by itself is no character, nor of a control.
_ESCAPE: Final = re.compile(r"\\(?:u((?!00[01])(?![dD][89A-Fa-f])[0-9A-Fa-f]{4})|[nrt])")
_MISREAD: Final = re.compile("[\u00c2-\u00f4][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]{1,3}")


def meant(text: str) -> str:
    """Return a text as it is meant; itself, where nothing of it looks like that."""
    for _ in range(_TIMES):
        if "&" not in text or (found := _REFERENCE.sub(lambda match: html.unescape(match[0]), text)) == text:
            break
        text = found
    if "\\" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else " ", text)
    return text if text.isascii() else _MISREAD.sub(_read_again, text)


def _read_again(match: re.Match[str]) -> str:
    """Return what bytes were before they were read as Windows-1252; one that it does not have was passed on as it was."""
    raw = b"".join(letter.encode("cp1252" if ord(letter) > 0xFF else "latin-1") for letter in match[0])
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return match[0]

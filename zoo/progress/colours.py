"""Whether what is drawn and printed has colours: ``NO_COLOR`` set to something forbids them.

https://no-color.org asks for no more than that, so bars stay. Rich knows the variable as well, but goes on to
print bold text.
"""

from __future__ import annotations

import os
from typing import Literal

NO_COLOR = "NO_COLOR"


def is_colourless() -> bool:
    """Say whether the user wants no colours."""
    return os.environ.get(NO_COLOR, "") != ""


def colours() -> Literal["auto"] | None:
    """Return the same as rich's consoles take it: with ``None`` text is not even bold."""
    return None if is_colourless() else "auto"

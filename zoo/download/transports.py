"""Which URLs can be fetched: a table from scheme to opener."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pkgutil import resolve_name
from typing import Protocol, cast

from zoo.download.asking import Asking, Beginning, Body
from zoo.download.failures import UNSAFE, SourceError


class Opener(Protocol):
    """Opens a URL of one scheme."""

    def __call__(
        self, url: str, asking: Asking, *, signature: bytes = b"", beginning: Beginning | None = None
    ) -> AbstractContextManager[Body]:
        """Ask for a file, and give its body for as long as the block lasts.

        Args:
            url: The address.
            asking: How to ask.
            signature: What the file begins with; empty where that is not known.
            beginning: What is there already; only what comes after it is asked for, and ``start`` of the body
                is then its number of bytes.

        Raises:
            SourceError: There is no such body.
            NotContinuedError: There is a beginning, and it is not certain that it belongs to this file: the
                whole will be asked for then.
        """
        ...


TRANSPORTS: Mapping[str, str] = {
    "https": "zoo.download.http:find_body",
    "http": "zoo.download.http:find_body",
}
"""By the scheme of a URL: the :class:`Opener`, as ``module:function``, imported when it is first needed.

What may be asked in a scheme is the opener's to check. A mirror may have an address in any of them, the
files of a registry in those of :data:`zoo.registry.urls.ADDRESSES`.
"""


PROBES: Mapping[str, str] = {
    "https": "zoo.download.probing:probe_http",
    "http": "zoo.download.probing:probe_http",
}
"""By the scheme of a URL: what tells whether it leads to a file; of any other scheme the file is opened."""


def open_body(
    url: str, asking: Asking, *, signature: bytes = b"", beginning: Beginning | None = None
) -> AbstractContextManager[Body]:
    """Open a URL as its scheme wants it; arguments and errors are those of an :class:`Opener`.

    Raises:
        SourceError: There is no such body, or nothing opens such URLs.
    """
    name = TRANSPORTS.get(url.partition(":")[0].lower())
    if name is None:
        raise SourceError("this is no https address", meaning=UNSAFE)
    return cast(Opener, resolve_name(name))(url, asking, signature=signature, beginning=beginning)

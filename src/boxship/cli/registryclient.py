"""A registry client of this process, for verbs that ask no daemon."""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from boxship import __version__

if TYPE_CHECKING:
    from boxship.distribution.registries import Registries


@contextlib.contextmanager
def opened(*insecure: str) -> "Iterator[Registries]":
    """Own a client; ``insecure`` are registries that may be spoken to without a certificate."""
    from boxship.distribution.registries import Registries
    from boxship.distribution.settings import Proxies, RegistrySettings

    proxies = Proxies.from_environment(os.environ)
    settings = RegistrySettings(insecure=insecure, proxies=proxies)
    registries = Registries(settings, f"boxship/{__version__}")
    try:
        yield registries
    finally:
        registries.close()

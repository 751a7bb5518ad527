"""What is asked for."""

from dataclasses import dataclass

from boxship.bootstrap.distributions import Target
from boxship.oci.platform import Platform


@dataclass(frozen=True, slots=True)
class Wish:
    """An image to be made; ``name`` is what it will be known under."""

    target: Target
    platform: Platform
    variant: str
    include: tuple[str, ...]
    name: str
    keyring: str = ""
    """A file of OpenPGP keys to trust instead of the distribution's."""

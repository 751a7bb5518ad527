"""Integers as wide as Docker's: a larger number is an error that names its field, never cut off.

Whatever leaves here goes into files of the kernel and to clients in Go, neither of which know
longer ones.
"""

from typing import Annotated

from msgspec import Meta

_LAST = 2**63 - 1

Int64 = Annotated[int, Meta(ge=-(2**63), le=_LAST)]
Uint16 = Annotated[int, Meta(ge=0, le=2**16 - 1)]
Uint32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Uint64 = Annotated[int, Meta(ge=0, le=_LAST)]
"""Docker's has one bit more, which no limit of the kernel can use."""

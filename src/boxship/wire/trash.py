"""The trash in answers. Times are RFC 3339, sizes bytes."""

from msgspec import Struct, field


class TrashRow(Struct, frozen=True, rename="pascal"):
    """Something that was removed; ``size`` is what would come free by emptying."""

    id: str = field(name="ID")
    type: str
    name: str
    removed: str
    expires: str
    size: int


class TrashEmptied(Struct, frozen=True, rename="pascal"):
    """``POST /system/trash/empty``."""

    items_deleted: tuple[str, ...]
    space_reclaimed: int

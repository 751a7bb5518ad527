"""What was removed, and bringing it back."""

from boxship.api.openapi.operation import Operation, ok, text, words
from boxship.wire.trash import TrashEmptied, TrashRow

OPERATIONS = (
    Operation(
        "GET", "/system/trash", "TrashList", "List what was removed and can be restored",
        replies=(ok(tuple[TrashRow, ...], "What went last comes first"),), beyond=True,
    ),
    Operation(
        "POST", "/system/trash/empty", "TrashEmpty", "Remove for good what was removed",
        (words("id", "An id or name; without any, everything"),),
        replies=(ok(TrashEmptied, "What is gone, and its bytes"),), errors=(404,), beyond=True,
    ),
    Operation(
        "POST", "/system/trash/{id...}/restore", "TrashRestore", "Bring back what was removed",
        (text("name", "Another name than it had"),),
        replies=(ok(TrashRow, "It is there, with what it stands on"),),
        errors=(403, 404, 409, 503), beyond=True,
    ),
)  # fmt: skip

"""Loading a module when it is needed, for programs whose start-up counts."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def load(name: str) -> "ModuleType":
    """Import a module by its full name, as ``importlib.import_module``, which is to be imported."""
    __import__(name)
    return sys.modules[name]

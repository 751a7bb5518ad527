"""The first code of a call that starts in the standing home: loads modules from one file.

Executed by itself, so it imports nothing of ours before ``_Archive`` is in place. The archive saves
looking for a hundred files in directories of a thousand: half of all that the imports take. What it
holds of a module counts while the module's own file is what it was, as with ``.pyc`` files.
"""

import gc
import marshal
import sys
from _frozen_importlib import ModuleSpec
from posix import O_CLOEXEC, O_RDONLY, execv, pread, stat
from posix import open as open_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    Entry = tuple[str, int, int, bool, int, int]


class _Archive:
    """Finds and loads modules: name to (file, mtime in ns, size, is it a package, code's place)."""

    def __init__(self, store: int, modules: "dict[str, Entry]") -> None:
        self._store, self._modules = store, modules
        self.stale = False
        """Whether something asked for was not, or not any more, what we have."""

    def find_spec(self, name: str, _path: object, _target: object = None) -> "ModuleSpec | None":
        entry = self._modules.get(name)
        if entry is None:
            self.stale = self.stale or name.startswith("boxship.")
            return None
        file, changed, size, package, _, length = entry
        if not _is_as_it_was(file, changed, size):
            self.stale = True
            return None
        if not length:
            from _frozen_importlib_external import ExtensionFileLoader

            return ModuleSpec(name, ExtensionFileLoader(name, file), origin=file)
        spec = ModuleSpec(name, self, origin=file, is_package=package)  # type: ignore[arg-type]
        if package:
            spec.submodule_search_locations = [file.rpartition("/")[0]]
        return spec

    def create_module(self, _spec: "ModuleSpec") -> None:
        return None

    def exec_module(self, module: "ModuleType") -> None:
        file, _, _, _, place, length = self._modules[module.__name__]
        module.__file__ = file
        exec(marshal.loads(pread(self._store, length, place)), module.__dict__)


def _is_as_it_was(file: str, changed: int, size: int) -> bool:
    try:
        now = stat(file)
    except OSError:
        return False
    return (now.st_mtime_ns, now.st_size) == (changed, size)


def start() -> None:
    """Go on as ``boxship-runtime``; the archive's directory comes before its words.

    Once the package has been installed anew it may be elsewhere, and call for another beginning
    than this one; then the call takes the long way, which makes the home new.
    """
    # A call is too short for a collection to pay.
    gc.disable()
    home = sys.argv.pop(1)
    store = open_file(f"{home}/modules", O_RDONLY | O_CLOEXEC)
    length = int.from_bytes(pread(store, 4, 0), "little")
    root, version, modules, watched = marshal.loads(pread(store, length, 4))
    for file in watched:
        if not _is_as_it_was(*file):
            program = watched[0][0]
            execv(program, [program, *sys.argv[1:]])
    sys.path.insert(0, root)
    archive = _Archive(store, modules if version == sys.hexversion else {})
    sys.meta_path.insert(0, archive)
    from boxship.runtime.main import main

    main(home=home, stale=lambda: archive.stale)


if __name__ == "__main__":
    start()

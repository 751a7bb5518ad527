"""What ``install``, ``uninstall`` and ``check`` of this machine's installation share."""

import os
import sys
from collections.abc import Callable

from boxship import __version__
from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.completing.scripts import scripts
from boxship.cli.flags import Flag
from boxship.cli.manual.pages import REVISED, pages
from boxship.cli.session import Session
from boxship.cli.verb import Invocation
from boxship.installing.home import find_home
from boxship.installing.installation import installed
from boxship.installing.layout import Layout
from boxship.installing.manifest import Manifest
from boxship.installing.planning import Step
from boxship.installing.wanted import Wish

WHERE = (
    Flag("prefix", "", kinds.STRING, "Directory of programs and pages", default="/usr/local"),
    Flag("root", "", kinds.STRING, "Root of a machine that does not run", default="/"),
)


def layout_of(given: Invocation) -> Layout:
    """``--root`` and ``--prefix``."""
    root = os.path.realpath(given.values.text("root") or "/")
    prefix = given.values.text("prefix").rstrip("/")
    if not os.path.isdir(root):
        raise InvalidArgumentError(f"--root {root} is not a directory")
    if not prefix.startswith("/") or os.path.normpath(prefix) != prefix:
        raise InvalidArgumentError(
            f"--prefix {given.values.text('prefix')} is not an absolute path without . and .."
        )
    if root == "/" and os.geteuid() != 0:
        raise InvalidArgumentError("only root can change this machine: call it with sudo")
    return Layout(root, prefix)


def wish_for(layout: Layout, *, docker_alias: bool | None = None) -> Wish:
    """What this version would install there. An alias stays as it is unless it is spoken of."""
    before = installed(layout) or Manifest()
    alias = before.docker_alias if docker_alias is None else docker_alias
    documents, links = _documents(alias=alias)
    return Wish(
        layout=layout,
        home=find_home(sys.argv[0]),
        documents=documents,
        links=links,
        docker_alias=alias,
        takes_docker_socket=not _docker_has_units(layout),
    )


def said(session: Session, before: str = "") -> Callable[[Step], None]:
    """Return what prints a step; of all manual pages it prints the first directory's name."""
    directories = set[str]()

    def tell(step: Step) -> None:
        action, path = str(step).split()[:2]
        directory = os.path.dirname(path)
        if not directory.endswith("/share/man/man1"):
            session.say(f"{before}{step}")
        elif directory not in directories:
            directories.add(directory)
            session.say(f"{before}{'remove' if action == 'remove' else 'write'} {directory}/*")

    return tell


def _documents(*, alias: bool) -> tuple[dict[str, bytes], dict[str, str]]:
    """Completion and manual pages below the prefix; links, by their own path."""
    from boxship.cli.main import GLOBAL_FLAGS
    from boxship.daemon.options import flags_for_people

    made, links = pages(GLOBAL_FLAGS, flags_for_people(), (REVISED, __version__))
    documents = {f"share/man/man{name[-1]}/{name}": text for name, text in made.items()}
    for program in ("boxship", "docker") if alias else ("boxship",):
        documents |= scripts(program)
    return documents, {f"share/man/man1/{name}": target for name, target in links.items()}


def _docker_has_units(layout: Layout) -> bool:
    places = ("/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system")
    return any(os.path.exists(layout.outside(f"{place}/docker.socket")) for place in places)

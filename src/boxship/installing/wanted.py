"""Which pieces make an installation. Pure."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from boxship.installing import units
from boxship.installing.home import Home
from boxship.installing.layout import ENABLED, PROGRAMS, Layout
from boxship.installing.pieces import File, Link, Piece


@dataclass(frozen=True)
class Wish:
    """``documents`` are files by their path below the prefix: completion, manual pages. ``links``
    are more of them, that lead to a file beside them.

    ``takes_docker_socket``: with the alias, listen on Docker's socket; no other unit does.
    """

    layout: Layout
    home: Home
    documents: Mapping[str, bytes]
    links: Mapping[str, str]
    docker_alias: bool = False
    takes_docker_socket: bool = True


def wanted(wish: Wish) -> list[Piece]:
    """Return everything that has to be there, the units last: they are what makes it run."""
    layout, pieces = wish.layout, list[Piece]()
    for name in PROGRAMS:
        pieces += _program(wish, name, name)
    if wish.docker_alias:
        pieces.append(Link(layout.program("docker"), f"{_programs(wish)}/boxship"))
    pieces += [File(f"{layout.prefix}/{path}", text) for path, text in wish.documents.items()]
    pieces += [Link(f"{layout.prefix}/{path}", target) for path, target in wish.links.items()]
    socket = units.socket_unit(as_docker=wish.docker_alias and wish.takes_docker_socket)
    service = units.service_unit(layout.program("boxshipd"))
    pieces.append(File(f"{layout.units}/boxship.socket", socket.encode()))
    pieces.append(File(f"{layout.units}/boxship.service", service.encode()))
    pieces += [
        Link(layout.wants(target, unit), f"{layout.units}/{unit}") for target, unit in ENABLED
    ]
    return pieces


def _programs(wish: Wish) -> str:
    return wish.layout.inside(wish.home.programs)


def _program(wish: Wish, name: str, target: str) -> list[Piece]:
    path = wish.layout.program(name)
    if os.path.dirname(path) == _programs(wish):
        return []  # pip has put it there
    return [Link(path, f"{_programs(wish)}/{target}")]

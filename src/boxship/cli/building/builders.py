"""The builder that verbs speak to: the engine's own, and no other."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from boxship.base.errors import NotImplementedYetError
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.session import Session
from boxship.cli.verb import Invocation

if TYPE_CHECKING:
    from boxship.client.buildkit.builder import Builder

BUILDER = "default"


def check_builder(session: Session, given: Invocation) -> None:
    """Refuse a name that is not the engine's own builder's."""
    name = given.values.text("builder") or session.environment.get("BUILDX_BUILDER", "")
    check_name(name)


def check_name(name: str) -> None:
    if name not in ("", BUILDER):
        raise ExitError(FAILURE, f'no builder "{name}" found: the engine\'s own is "{BUILDER}"')


@contextmanager
def opened(session: Session, given: Invocation) -> "Iterator[Builder]":
    """Own a connection to the builder; ExitError if the engine has none with this API."""
    check_builder(session, given)
    with connected(session) as builder:
        yield builder


@contextmanager
def connected(session: Session) -> "Iterator[Builder]":
    """Own a connection to the engine's builder, whatever was given."""
    from boxship.client.buildkit.builder import Builder

    try:
        builder = Builder.connect(session.client)
    except NotImplementedYetError as error:
        raise ExitError(FAILURE, f"{error}: only its classic builder can be used") from error
    with builder:
        yield builder

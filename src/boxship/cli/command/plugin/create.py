"""``boxship plugin create``: make a plugin of a directory with ``config.json`` and ``rootfs``."""

import json
import os

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.command.plugin.packing import packed
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import plugins
from boxship.oci.reference import InvalidReferenceError, parse

FLAGS = (Flag("compress", "", kinds.BOOL, "Send the directory compressed"),)


def run(session: Session, given: Invocation) -> int:
    name, directory = given.arguments
    try:
        parse(name)
    except InvalidReferenceError as error:
        raise InvalidArgumentError(str(error)) from error
    _check(directory)
    pieces = packed(directory, compress=given.values.on("compress"))
    plugins.create(session.client, name, pieces)
    session.say(name)
    return 0


def _check(directory: str) -> None:
    """Fail before anything is sent."""
    try:
        with open(os.path.join(directory, "config.json"), "rb") as file:
            json.load(file)
        if not os.path.isdir(root := os.path.join(directory, "rootfs")):
            raise ExitError(FAILURE, f"{root} is no directory: it must have the plugin's files")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ExitError(FAILURE, f"open {error.filename}: {reason}") from error
    except ValueError as error:
        raise ExitError(FAILURE, f"{directory}/config.json: {error}") from error


COMMAND = Command("[OPTIONS] PLUGIN PLUGIN-DATA-DIR", Arity(2, 2), run, FLAGS)

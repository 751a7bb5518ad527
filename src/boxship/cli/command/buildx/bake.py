"""``boxship buildx bake``."""

from boxship.cli import kinds
from boxship.cli.building.flags import BUILDER, CALL, DEBUG, PROGRESS
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation

FLAGS = (
    Flag("allow", "", kinds.LIST, "What steps may do, as network.host or security.insecure"),
    BUILDER,
    Flag("call", "", CALL, "Instead of a build: check, outline or targets"),
    Flag("check", "", kinds.BOOL, "The same as --call=check"),
    DEBUG,
    Flag("file", "f", kinds.LIST, "File that defines targets: HCL, JSON or Compose"),
    Flag("list", "", kinds.STRING, "List targets or variables, and build nothing"),
    Flag("load", "", kinds.BOOL, "The same as --set=*.output=type=docker"),
    Flag("metadata-file", "", kinds.STRING, "Write what is known of the results to this file"),
    Flag("no-cache", "", kinds.BOOL, "Run every step"),
    Flag("policy", "", kinds.LIST, "Policy of sources", hidden=True),
    Flag("print", "", kinds.BOOL, "Print what would be built, and build nothing"),
    PROGRESS,
    Flag("provenance", "", kinds.STRING, "The same as --set=*.attest=type=provenance"),
    Flag("pull", "", kinds.BOOL, "Ask registries for base images that are here as well"),
    Flag("push", "", kinds.BOOL, "The same as --set=*.output=type=registry"),
    Flag("sbom", "", kinds.STRING, "The same as --set=*.attest=type=sbom"),
    Flag("set", "", kinds.LIST, "Change a field of targets, as target.field=value"),
    Flag("var", "", kinds.LIST, "Value of a variable, as NAME=value"),
)


def run(session: Session, given: Invocation) -> int:
    from boxship.cli.bake.commandline import bake

    return bake(session, given)


COMMAND = Command("[OPTIONS] [TARGET...]", Arity(0, None), run, FLAGS)

"""Names of results, as graphs that clients may carry from one build to another.

Bake gives the result of one target to another as an input: a graph in BuildKit's LLB. Ours has one
operation, a source whose identifier is the result's name, and an end that refers to it.
"""

from collections.abc import Mapping

from boxship.base.errors import InvalidArgumentError
from boxship.oci.digest import Digest
from boxship.wire.buildkit.solver import Definition, Input, Op, OpMetadata, SourceOp
from boxship.wire.protobuf import DecodeError, decode, encode

_SCHEME = "boxship-result://"


def definition(name: str) -> Definition:
    """Return the graph that stands for a result."""
    source = encode(Op(source=SourceOp(_SCHEME + name)))
    digest = str(Digest.of(source))
    end = encode(Op(inputs=(Input(digest),)))
    metadata = {digest: OpMetadata(), str(Digest.of(end)): OpMetadata()}
    return Definition((source, end), metadata)


def named(graph: Definition | None) -> str:
    """Return the name of the result that a graph stands for; empty for an empty graph.

    InvalidArgumentError: it is a graph of the client's own making.
    """
    if graph is None or not graph.operations:
        return ""
    for operation in graph.operations:
        try:
            source = decode(operation, Op).source
        except DecodeError as error:
            raise InvalidArgumentError(f"a broken operation in a graph: {error}") from error
        if source is not None and source.identifier.startswith(_SCHEME):
            return source.identifier.removeprefix(_SCHEME)
    raise InvalidArgumentError(
        "graphs (LLB) are not built here: give a Dockerfile to the frontend dockerfile.v0"
    )


def names(graphs: Mapping[str, Definition]) -> dict[str, str]:
    """Return the names of several, by what the client calls them."""
    return {name: named(graph) for name, graph in graphs.items()}

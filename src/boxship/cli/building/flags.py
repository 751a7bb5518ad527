"""The flags of ``boxship build``: those of ``docker build``, of its ``buildx`` form, and ours."""

from boxship.cli import kinds
from boxship.cli.building import specs
from boxship.cli.flags import Flag, Kind
from boxship.cli.syntax.environment import check_label
from boxship.cli.syntax.limits import parse_ulimit


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(specs.parse_host(member) for member in kinds.parse_csv(text))


CACHE = Kind("cache", lambda text: (specs.parse_cache(text),), (), repeats=True)
SECRET = Kind("secret", lambda text: (specs.parse_secret(text),), (), repeats=True)
SSH = Kind("ssh", lambda text: (specs.parse_ssh(text),), (), repeats=True)
ATTEST = Kind("attest", lambda text: (specs.parse_attestation(text),), (), repeats=True)
OUTPUT = Kind("output", lambda text: (specs.parse_output(text),), (), repeats=True)
CONTEXT = Kind("name=context", lambda text: (specs.parse_named_context(text),), (), repeats=True)
ULIMIT = Kind("ulimit", lambda text: (parse_ulimit(text),), (), repeats=True)
ANNOTATION = Kind("annotation", specs.parse_annotation, (), repeats=True)
HOSTS = Kind("list", _hosts, (), repeats=True)
LABELS = Kind("list", check_label, (), repeats=True)
CALL = Kind("string", specs.parse_call, specs.Call())

BUILDER = Flag("builder", "", kinds.STRING, "Name of the builder: default is the engine itself")
DEBUG = Flag("debug", "D", kinds.BOOL, "Show where an error comes from")
PROGRESS = Flag(
    "progress",
    "",
    kinds.STRING,
    "How to show what goes on: auto, plain, tty, rawjson, quiet",
)

_WHAT = (
    Flag("file", "f", kinds.STRING, "Dockerfile, - for standard input (default PATH/Dockerfile)"),
    Flag("target", "", kinds.STRING, "Build this stage"),
    Flag("build-arg", "", kinds.LIST, "Value for an ARG, as NAME=value; NAME takes ours"),
    Flag("build-context", "", CONTEXT, "One more context, as name=path, name=docker-image://ref"),
    Flag("platform", "", kinds.CSV, "Build for these platforms, as linux/amd64,linux/arm64"),
    Flag("label", "", LABELS, "Label of the image, as key=value"),
    Flag("tag", "t", kinds.LIST, "Name of the image, as name:tag"),
    Flag("annotation", "", ANNOTATION, "Annotation of the image, as key=value"),
    Flag("squash", "", kinds.BOOL, "One layer for everything above the base image"),
)

_RESULT = (
    Flag("output", "o", OUTPUT, "Where the result goes, as type=local,dest=path"),
    Flag("load", "", kinds.BOOL, "The same as --output=type=docker"),
    Flag("push", "", kinds.BOOL, "The same as --output=type=registry"),
    Flag("iidfile", "", kinds.STRING, "Write the image's ID to this file"),
    Flag("metadata-file", "", kinds.STRING, "Write what is known of the result to this file"),
    Flag("attest", "", ATTEST, "Attestation, as type=provenance,mode=max or type=sbom"),
    Flag("provenance", "", kinds.STRING, "The same as --attest=type=provenance"),
    Flag("sbom", "", kinds.STRING, "The same as --attest=type=sbom"),
)

_CACHE = (
    Flag("no-cache", "", kinds.BOOL, "Run every step"),
    Flag("no-cache-filter", "", kinds.CSV, "Run every step of these stages"),
    Flag("cache-from", "", CACHE, "Cache to use, as an image or type=local,src=path"),
    Flag("cache-to", "", CACHE, "Cache to leave, as type=registry,ref=name"),
    Flag("pull", "", kinds.BOOL, "Ask registries for base images that are here as well"),
    Flag("explain-cache", "", kinds.BOOL, "Say of each step that runs why it was not in the cache"),
)

_STEPS = (
    Flag("secret", "", SECRET, "Secret for RUN --mount=type=secret, as id=name,src=file"),
    Flag("ssh", "", SSH, "Agent or keys for RUN --mount=type=ssh, as default or id=path"),
    Flag("allow", "", kinds.CSV, "What steps may do, as network.host or security.insecure"),
    Flag("add-host", "", HOSTS, "Line for /etc/hosts, as host:address"),
    Flag("network", "", kinds.STRING, "Network of RUN: default, none or host", default="default"),
    Flag("cgroup-parent", "", kinds.STRING, "Cgroup above those of the steps"),
    Flag("shm-size", "", kinds.BYTES, "Size of /dev/shm"),
    Flag("ulimit", "", ULIMIT, "Limit of the steps' processes, as nofile=1024:2048"),
    Flag("memory", "m", kinds.BYTES, "Memory a step may use"),
    Flag("memory-swap", "", kinds.SWAP, "Memory and swap together, -1 for any amount of swap"),
    Flag("cpu-shares", "c", kinds.INT64, "Weight among others who want the CPU"),
    Flag("cpu-period", "", kinds.INT64, "Period of the CPU quota, in microseconds"),
    Flag("cpu-quota", "", kinds.INT64, "CPU time in a period, in microseconds"),
    Flag("cpuset-cpus", "", kinds.STRING, "CPUs to run on, as 0-2,4"),
    Flag("cpuset-mems", "", kinds.STRING, "Memory nodes to use, as 0-1"),
    Flag("resource", "", kinds.MAP, "Limit of the steps, as memory=2g or cpu-quota=50000"),
    Flag("security-opt", "", kinds.LIST, "Security option of the steps"),
)

_SHOWN = (
    PROGRESS,
    Flag("quiet", "q", kinds.BOOL, "Print the image's ID alone"),
    Flag("check", "", kinds.BOOL, "Check the Dockerfile and build nothing"),
    Flag("call", "", CALL, "Instead of a build: check, outline or targets"),
    Flag("on-error", "", kinds.STRING, "After a step failed: stop, or shell to look around in it"),
)

_WITHOUT_EFFECT = (
    Flag("compress", "", kinds.BOOL, "Compress the context (classic builder)"),
    Flag("rm", "", kinds.BOOL, "Remove containers of steps (classic builder)", default=True),
    Flag("force-rm", "", kinds.BOOL, "Remove them after failures as well (classic builder)"),
    Flag("isolation", "", kinds.STRING, "Accepted, no effect on Linux"),
    Flag("disable-content-trust", "", kinds.BOOL, "Accepted, no effect", default=True),
    Flag("policy", "", kinds.LIST, "Policy of sources", hidden=True),
    BUILDER,
    DEBUG,
)

FLAGS = tuple(
    sorted(
        (*_WHAT, *_RESULT, *_CACHE, *_STEPS, *_SHOWN, *_WITHOUT_EFFECT), key=lambda flag: flag.name
    )
)

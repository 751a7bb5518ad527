"""``boxship-runtime``: containers from OCI bundles, with runc's command line.

::

    run [--bundle DIR] [--pid-file FILE] ID   create a container and wait for its end
    explain [DIR]                             print the plan of a bundle as shell commands
    spec                                      write a config.json to start from
    features                                  print what this runtime can do, as JSON

Exit status: that of the container's process; 1 after one line of error on stderr.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
from dataclasses import replace

from boxship import __version__
from boxship.base.errors import BoxshipError
from boxship.base.files import write_atomic
from boxship.kernel.processes import set_child_subreaper
from boxship.oci.runtime import NAMESPACES, SECCOMP_ACTIONS, SECCOMP_OPERATORS, Root, Spec
from boxship.runtime.blueprint import Plan
from boxship.runtime.capabilities import CAPABILITIES
from boxship.runtime.defaults import default_spec
from boxship.runtime.explain import explain
from boxship.runtime.host import Host
from boxship.runtime.plan import plan
from boxship.runtime.process import destroy, spawn_init
from boxship.runtime.sealed import execute_sealed

_CONFIG = "config.json"
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
              signal.SIGUSR2)  # fmt: skip


def main() -> None:
    """Run the command line and exit."""
    arguments = _parser().parse_args()
    try:
        sys.exit(arguments.command(arguments))
    except (BoxshipError, OSError, ValueError) as error:
        print(f"boxship-runtime: {error}", file=sys.stderr)
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="boxship-runtime", description="Run OCI bundles.")
    parser.add_argument("--version", action="version", version=f"boxship-runtime {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="create a container and wait for its end")
    run.add_argument("-b", "--bundle", default=".", help="directory of config.json")
    run.add_argument("--pid-file", default="", help="where to write the first process's pid")
    run.add_argument("id")
    run.set_defaults(command=_run)
    explaining = commands.add_parser("explain", help="print the plan as shell commands")
    explaining.add_argument("bundle", nargs="?", default=".")
    explaining.set_defaults(command=_explain)
    spec = commands.add_parser("spec", help="write a config.json to start from")
    spec.add_argument("-b", "--bundle", default=".")
    spec.set_defaults(command=_spec)
    commands.add_parser("features", help="print what is possible").set_defaults(command=_features)
    return parser


def _load(bundle: str, container_id: str) -> Plan:
    try:
        with open(os.path.join(bundle, _CONFIG), encoding="utf-8") as stream:
            spec = Spec.from_json(json.load(stream))
    except ValueError as error:
        raise ValueError(f"{_CONFIG}: {error}") from None
    if spec.root is not None:
        path = os.path.realpath(os.path.join(bundle, spec.root.path))
        spec = replace(spec, root=Root(path, spec.root.readonly))
    return plan(spec, container_id, Host.look())


def _run(arguments: argparse.Namespace) -> int:
    made = _load(arguments.bundle, arguments.id)
    if made.process.terminal:
        raise ValueError("process.terminal: a terminal needs a shim, which run is not yet")
    execute_sealed(["-I", "-c", _AGAIN, _package_root(), *sys.argv[1:]])
    set_child_subreaper()
    spawned = spawn_init(made, 0, 1, 2)
    try:
        for number in _FORWARDED:
            signal.signal(number, lambda received, _: os.kill(spawned.pid, received))
        for warning in spawned.warnings:
            print(f"boxship-runtime: warning: {warning}", file=sys.stderr)
        if arguments.pid_file:
            write_atomic(arguments.pid_file, str(spawned.pid).encode(), durable=False)
        _, status = os.waitpid(spawned.pid, 0)
    finally:
        destroy(made)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


_AGAIN = (
    "import sys; sys.path.insert(0, sys.argv.pop(1));from boxship.runtime.main import main; main()"
)


def _package_root() -> str:
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _explain(arguments: argparse.Namespace) -> int:
    print("\n".join(explain(_load(arguments.bundle, "CONTAINER"))))
    return 0


def _spec(arguments: argparse.Namespace) -> int:
    path = os.path.join(arguments.bundle, _CONFIG)
    text = json.dumps(default_spec(("sh",)).to_json(), indent="\t") + "\n"
    with open(path, "x", encoding="utf-8") as stream:
        stream.write(text)
    return 0


def _features(_: argparse.Namespace) -> int:
    linux = {
        "namespaces": sorted(set(NAMESPACES) - {"user", "time"}),
        "capabilities": list(CAPABILITIES),
        "cgroup": {"v1": True, "v2": True, "systemd": False, "systemdUser": False, "rdma": False},
        "seccomp": {
            "enabled": True,
            "actions": [name for name in SECCOMP_ACTIONS if name != "SCMP_ACT_NOTIFY"],
            "operators": list(SECCOMP_OPERATORS),
            "archs": [f"SCMP_ARCH_{name}" for name in ("X86_64", "X86", "X32", "AARCH64", "ARM")],
        },
        "apparmor": {"enabled": False},
        "selinux": {"enabled": False},
    }
    document = {"ociVersionMin": "1.0.0", "ociVersionMax": "1.2.0", "linux": linux}
    print(json.dumps(document, indent=2))
    return 0

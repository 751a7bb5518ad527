"""Where a container's files lie. The data root's part outlives the machine's restart::

    <data-root>/containers/<id>/       0710, made before the record and removed before it
        <id>-json.log, .log.1 …        written by the shim; of other log drivers container.log …
                                       and container-cached.log …
        log-losses.json                what did not get into the log (runtime/logs/losses.py)
        hostname, hosts, resolv.conf   written at each start, bind-mounted into the container

and the exec root's part does not::

    <exec-root>/c/<id>/                made and removed by the shim: shim.sock, shim.pid, exit.json
        oci/                           only with another runtime than ours: its bundle and state
    <exec-root>/shm/<id>/              see sharedmemory.py
    <exec-root>/sources/<id>/          see mountsources.py
    <exec-root>/logging/               pipes to log drivers that are plugins
    <exec-root>/root/                  one empty directory on which every container mounts its root
"""

import os
from dataclasses import dataclass

from boxship.runtime.logs.losses import NAME as LOSSES
from boxship.runtime.shim.directory import FOREIGN


@dataclass(frozen=True)
class ContainerFiles:
    """The paths of one container's own files."""

    directory: str
    log: str
    local_log: str
    cached_log: str
    """The copy of what a log driver sends elsewhere."""
    log_losses: str
    hostname: str
    hosts: str
    resolv_conf: str


@dataclass(frozen=True)
class Paths:
    """All paths of the tree."""

    data_root: str
    exec_root: str

    @property
    def containers(self) -> str:
        return f"{self.data_root}/containers"

    @property
    def shims(self) -> str:
        return f"{self.exec_root}/c"

    @property
    def shared_memory(self) -> str:
        return f"{self.exec_root}/shm"

    @property
    def sources(self) -> str:
        return f"{self.exec_root}/sources"

    @property
    def log_pipes(self) -> str:
        """What log drivers' plugins read containers' output from."""
        return f"{self.exec_root}/logging"

    @property
    def mountpoint(self) -> str:
        return f"{self.exec_root}/root"

    @property
    def init(self) -> str:
        """The init program of ``--init``, written when first asked for."""
        return f"{self.data_root}/init-{os.uname().machine}"

    def of(self, container_id: str) -> ContainerFiles:
        directory = f"{self.containers}/{container_id}"
        return ContainerFiles(
            directory=directory,
            log=f"{directory}/{container_id}-json.log",
            local_log=f"{directory}/container.log",
            cached_log=f"{directory}/container-cached.log",
            log_losses=f"{directory}/{LOSSES}",
            hostname=f"{directory}/hostname",
            hosts=f"{directory}/hosts",
            resolv_conf=f"{directory}/resolv.conf",
        )

    def shim(self, container_id: str) -> str:
        return f"{self.shims}/{container_id}"

    def bundle(self, container_id: str) -> str:
        return f"{self.shim(container_id)}/{FOREIGN}"

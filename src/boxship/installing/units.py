"""The units of systemd: a socket that is there from the start, and the daemon behind it.

The socket is systemd's: clients wait while the daemon is replaced, and aren't refused. ``stop``
does what the configuration says about containers (``live-restore``); ``restart`` leaves them to the
next daemon whatever it says, because systemd sends ``RestartKillSignal`` then (version 244).
"""

SOCKET = "/run/boxship/boxship.sock"
DOCKER_SOCKET = "/run/docker.sock"
GROUP = "boxship"


def socket_unit(*, as_docker: bool) -> str:
    """``as_docker``: listen where Docker's clients look, too."""
    listen = [SOCKET, DOCKER_SOCKET] if as_docker else [SOCKET]
    return _unit(
        ("Unit", [("Description", "Boxship's socket for the Docker Engine API")]),
        (
            "Socket",
            [
                *(("ListenStream", path) for path in listen),
                ("SocketMode", "0660"),
                ("SocketUser", "root"),
                ("SocketGroup", GROUP),
                ("DirectoryMode", "0711"),
            ],
        ),
        ("Install", [("WantedBy", "sockets.target")]),
    )


def service_unit(program: str) -> str:
    """``program`` is ``boxshipd`` as systemd is to execute it."""
    return _unit(
        (
            "Unit",
            [
                ("Description", "Boxship, the Docker Engine API"),
                ("Documentation", "man:boxshipd(8)"),
                (
                    "After",
                    "network-online.target nss-lookup.target firewalld.service time-set.target",
                ),
                ("Wants", "network-online.target"),
                ("Requires", "boxship.socket"),
                ("StartLimitIntervalSec", "60"),
                ("StartLimitBurst", "10"),
            ],
        ),
        (
            "Service",
            [
                ("Type", "notify"),
                ("ExecStart", program),
                ("ExecReload", "/bin/kill -s HUP $MAINPID"),
                # Shims and what runs in containers are no part of the daemon.
                ("KillMode", "process"),
                ("RestartKillSignal", "SIGUSR2"),
                ("Restart", "on-failure"),
                ("RestartSec", "2"),
                # Recovery takes as long as there are containers, and stopping as they like.
                ("TimeoutStartSec", "infinity"),
                ("TimeoutStopSec", "infinity"),
                ("Delegate", "yes"),
                ("TasksMax", "infinity"),
                ("LimitNPROC", "infinity"),
                ("LimitCORE", "infinity"),
                ("LimitNOFILE", "1048576"),
                ("OOMScoreAdjust", "-500"),
            ],
        ),
        ("Install", [("WantedBy", "multi-user.target"), ("Also", "boxship.socket")]),
    )


def _unit(*sections: tuple[str, list[tuple[str, str]]]) -> str:
    parts = [
        "\n".join([f"[{name}]", *(f"{key}={value}" for key, value in lines)])
        for name, lines in sections
    ]
    return "\n\n".join(parts) + "\n"

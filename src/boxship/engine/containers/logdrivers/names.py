"""The drivers' names, for who needs no more than them."""

from typing import Final

JSON_FILE: Final = "json-file"
LOCAL: Final = "local"
NONE: Final = "none"

REMOTE: Final = ("awslogs", "fluentd", "gcplogs", "gelf", "journald", "splunk", "syslog")
"""Those that send what they get elsewhere; ``logs`` reads a copy kept beside."""

LISTED: Final = tuple(sorted((JSON_FILE, LOCAL, *REMOTE)))
"""What ``info`` lists; as in Docker, ``none`` is not among them."""

KNOWN: Final = frozenset((*LISTED, NONE))

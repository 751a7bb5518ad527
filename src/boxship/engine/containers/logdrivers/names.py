"""The drivers' names, for who needs no more than them."""

from collections.abc import Mapping
from typing import Final

JSON_FILE: Final = "json-file"
LOCAL: Final = "local"
NONE: Final = "none"

REMOTE: Final = ("awslogs", "fluentd", "gcplogs", "gelf", "journald", "splunk", "syslog")
"""Those that send what they get elsewhere; ``logs`` reads a copy kept beside."""

LISTED: Final = tuple(sorted((JSON_FILE, LOCAL, *REMOTE)))
"""What ``info`` lists; as in Docker, ``none`` is not among them."""

_PROXIES: Final = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")
ENVIRONMENT: Final[Mapping[str, tuple[str, ...]]] = {
    "awslogs": (
        *_PROXIES,
        *("HOME", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_EC2_METADATA_SERVICE_ENDPOINT"),
    ),
    "gcplogs": (
        *_PROXIES,
        *("HOME", "GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST"),
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING",
    ),
    "splunk": (
        *_PROXIES,
        "SPLUNK_LOGGING_DRIVER_POST_MESSAGES_FREQUENCY",
        "SPLUNK_LOGGING_DRIVER_POST_MESSAGES_BATCH_SIZE",
    ),
    "syslog": ("TZ",),
}
"""The daemon's variables that drivers look at, as those of Docker do."""

KNOWN: Final = frozenset((*LISTED, NONE))

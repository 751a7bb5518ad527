"""What a verb works with: the streams, the environment, the configuration and the daemon."""

import os
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TextIO

from boxship.cli.configfile import ConfigFile, config_path, custom_headers
from boxship.cli.target import Target, chosen, context_name
from boxship.client.endpoint import Choice, UnixEndpoint
from boxship.client.engine import EngineClient


class Session:
    """One run of the program. ``out`` and ``err`` are text; raw bytes go to their descriptors."""

    def __init__(
        self, target: Target, *, debug: bool = False, config_directory: str | None = None
    ) -> None:
        self.target = target
        self.debug = debug
        self.out: TextIO = sys.stdout
        self.err: TextIO = sys.stderr
        self.environment: Mapping[str, str] = os.environ
        self._config_directory = config_directory

    def say(self, text: str) -> None:
        """A line of output."""
        self.out.write(text + "\n")

    def warn(self, text: str) -> None:
        """A line for the person, not for a pipe."""
        self.out.flush()
        self.err.write(text + "\n")
        self.err.flush()

    @cached_property
    def config(self) -> ConfigFile:
        return ConfigFile.load(self.environment, self._config_directory)

    @cached_property
    def context(self) -> str:
        """The name of the context that holds."""
        return context_name(self.target, self.environment, lambda: self.config.current_context)

    @cached_property
    def choice(self) -> Choice:
        """The daemon to talk to; looked for when it is needed, so that a context can be mended."""
        return chosen(self.target, self.context, self.environment, self.config_directory)

    @property
    def config_directory(self) -> str:
        """Where ``config.json`` is, contexts, and keys by default."""
        return os.path.dirname(self.config_path)

    @property
    def config_path(self) -> str:
        """Where ``config.json`` is, or would be."""
        return config_path(self.environment, self._config_directory)

    @cached_property
    def client(self) -> EngineClient:
        """The daemon; the first connection to the default socket may start it."""
        connect = None
        if self.choice.is_default and isinstance(self.choice.endpoint, UnixEndpoint):
            from boxship.cli.daemonstart import connect_or_start

            connect = connect_or_start
        return EngineClient(
            self.choice.endpoint,
            version=self.environment.get("DOCKER_API_VERSION") or None,
            headers=custom_headers(self.environment) or self.config.http_headers,
            agent="Docker-Client/boxship (linux)",
            connect=connect,
        )

    def beside(self) -> "Session":
        """One more session with the same daemon, for another thread."""
        other = Session(self.target, debug=self.debug, config_directory=self._config_directory)
        other.choice = self.choice
        other.out, other.err, other.environment = self.out, self.err, self.environment
        other.client = self.client.beside()
        return other

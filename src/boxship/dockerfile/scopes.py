"""Which variables are seen where: ARG before the first FROM, ARG and ENV of a stage, built-in ones.

::

    global_scope ──► FROM's base and platform
         │  ARG name        (without a default: takes the global value)
         ▼
    Scope of a stage ──► its instructions; of ARG and ENV of one name the later one counts
         │  FROM stage
         ▼
    Scope of the next: declared arguments and ENV are inherited

A value given with ``--build-arg`` goes before every default. For the classic builder ENV goes
before ARG, whichever is later, and arguments end with their stage. BuildKit has it otherwise, the
first of it against its documentation, and images are built with what it does. Proxy variables are
given to RUN though nobody declares them; they belong neither to cache keys nor to histories, unless
declared.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.instructions import Arg, Env
from boxship.dockerfile.shellwords import Rules, expand_word

PREDEFINED = frozenset(
    name
    for kind in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (kind, kind.lower())
)
"""Arguments that may be given without being declared."""

PLATFORM_ARGUMENTS = tuple(
    f"{side}{part}"
    for side in ("BUILD", "TARGET")
    for part in ("PLATFORM", "OS", "ARCH", "VARIANT")
)
"""Arguments of the global scope whose values the builder knows."""

BUILTIN = frozenset(
    (
        "BUILDKIT_BUILD_NAME",
        "BUILDKIT_CACHE_MOUNT_NS",
        "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
        "BUILDKIT_DOCKERFILE_CHECK",
        "BUILDKIT_INLINE_CACHE",
        "BUILDKIT_MULTI_PLATFORM",
        "BUILDKIT_SANDBOX_HOSTNAME",
        "BUILDKIT_SBOM_SCAN_CONTEXT",
        "BUILDKIT_SBOM_SCAN_STAGE",
        "BUILDKIT_SYNTAX",
        "SOURCE_DATE_EPOCH",
    )
)
"""Arguments that speak to the builder; they may be given without being declared."""


def platform_arguments(side: str, os: str, architecture: str, variant: str) -> dict[str, str]:
    """Return ``side``'s four arguments; ``side`` is BUILD or TARGET."""
    whole = "/".join(filter(None, (os, architecture, variant)))
    parts = {"PLATFORM": whole, "OS": os, "ARCH": architecture, "VARIANT": variant}
    return {f"{side}{part}": value for part, value in parts.items()}


@dataclass(frozen=True, slots=True)
class Scope:
    """Variables at one point of a stage.

    ``given`` are the client's arguments, ``outside`` the global ones, ``declared`` the names that
    ARG has named, ``environment`` is the image's, and ``variables`` what instructions see.
    ``classic`` gives ENV the last word.
    """

    given: Mapping[str, str]
    outside: Mapping[str, str] = field(default_factory=dict)
    declared: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    classic: bool = False

    @property
    def arguments(self) -> dict[str, str]:
        """What RUN gets beside the environment: declared arguments that have a value."""
        return {
            name: value
            for name, value in self.variables.items()
            if name in self.declared and self.environment.get(name) != value
        }

    def declare(self, arg: Arg, escape: str = "\\") -> "Scope":
        """Return the scope behind an ARG instruction, which is not expanded yet.

        Several definitions in one instruction don't see each other.
        """
        values = dict(self.variables)
        declared = set(self.declared)
        try:
            for definition in arg.definitions:
                name = expand_word(definition.name, self.variables, Rules(escape)).text
                value = self._value(name, definition.default, escape)
                declared.add(name)
                if value is not None and not (self.classic and name in self.environment):
                    values[name] = value
        except DockerfileError as error:
            raise error.at(arg.where) from None
        return replace(self, variables=values, declared=frozenset(declared))

    def _value(self, name: str, default: str | None, escape: str) -> str | None:
        if name in self.given:
            return self.given[name]
        if default is not None:
            return expand_word(default, self.variables, Rules(escape)).text
        return self.outside.get(name)

    def set(self, env: Env) -> "Scope":
        """Return the scope behind an ENV instruction that has been expanded."""
        pairs = {pair.name: pair.value for pair in env.pairs}
        return replace(
            self,
            environment={**self.environment, **pairs},
            variables={**self.variables, **pairs},
        )

    def undeclared(self) -> list[str]:
        """Return the given arguments that nobody may have meant: neither declared nor known."""
        known = PREDEFINED | BUILTIN | set(PLATFORM_ARGUMENTS) | self.declared
        return sorted(set(self.given) - known - set(self.outside))


def global_scope(
    arguments: Iterable[Arg],
    given: Mapping[str, str],
    platforms: Mapping[str, str],
    escape: str = "\\",
    *,
    classic: bool = False,
) -> Scope:
    """Return the scope of FROM: ARG before the first one, platforms' and given values.

    ``platforms`` is :func:`platform_arguments` of both sides.
    """
    known = {name: given.get(name, value) for name, value in platforms.items()}
    scope = Scope(given=given, variables=known, classic=classic)
    for arg in arguments:
        scope = scope.declare(arg, escape)
    return scope


def stage_scope(
    outside: Scope, environment: Mapping[str, str], parent: Scope | None = None
) -> Scope:
    """Return the scope behind a FROM.

    ``outside`` is the global one, ``environment`` that of the base's config, and ``parent`` the
    scope at the end of the stage that is the base. The classic builder has no use for it: there
    each stage begins with its base's environment alone.
    """
    if outside.classic:
        parent = None
    return Scope(
        given=outside.given,
        outside=outside.variables,
        declared=frozenset() if parent is None else parent.declared,
        environment=environment,
        variables=environment if parent is None else parent.variables,
        classic=outside.classic,
    )

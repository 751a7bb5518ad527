"""All checks over one Dockerfile, and which of their findings are wanted."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from boxship.dockerfile.ignore import Ignore
from boxship.dockerfile.instructions import Directives, Dockerfile, Finding
from boxship.dockerfile.lint import sources, stages, texts, variables
from boxship.dockerfile.lint.rules import RULES
from boxship.dockerfile.places import Range


@dataclass(frozen=True, slots=True)
class Facts:
    """What a build knows beside the text.

    ``given`` are build arguments, ``environments`` the variables of base images by the stage's
    index; a stage whose base is not in there is not checked for undefined ones. ``ignored`` is the
    context's ``.dockerignore``. ``stages`` are those that are built: what instructions of others
    would do is of no interest then; without it, of all.
    """

    given: Mapping[str, str] = field(default_factory=dict)
    environments: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    ignored: Ignore | None = None
    stages: frozenset[int] | None = None


# Rules about what an instruction does, not about how the file is written.
_OF_EFFECTS = frozenset(
    (
        "CopyIgnoredFile",
        "ExposeInvalidFormat",
        "ExposeProtoCasing",
        "JSONArgsRecommended",
        "LegacyKeyValueFormat",
        "MultipleInstructionsDisallowed",
        "SecretsUsedInArgOrEnv",
        "UndefinedVar",
        "WorkdirRelativePath",
    )
)

Check = Callable[[Dockerfile, Facts], Iterator[Finding]]

_CHECKS: tuple[Check, ...] = (
    lambda read, _: iter(read.findings),
    lambda read, _: texts.instruction_casing(read),
    lambda read, _: texts.from_as_casing(read),
    lambda read, _: stages.names(read),
    lambda read, _: stages.platforms(read),
    lambda read, _: stages.shell_forms(read),
    lambda read, _: stages.only_last_counts(read),
    lambda read, _: stages.relative_directories(read),
    lambda read, _: stages.maintainers(read),
    lambda read, _: stages.ports(read),
    lambda read, _: variables.secrets(read),
    lambda read, facts: variables.bases(read, facts.given),
    lambda read, facts: variables.undefined(read, facts.given, facts.environments),
    lambda read, facts: sources.ignored_files(read, facts.ignored),
)


def check(
    read: Dockerfile, facts: Facts | None = None, wanted: Directives | None = None
) -> tuple[Finding, ...]:
    """Return what is unwise, in the order of the text.

    ``wanted`` says which rules count; without it the text's own ``# check=`` does.
    """
    known = facts or Facts()
    chosen = wanted or read.directives
    idle = _instructions_of_others(read, known.stages)
    found = {
        finding
        for one in _CHECKS
        for finding in one(read, known)
        if finding.rule not in _OF_EFFECTS or finding.where not in idle
    }
    return tuple(
        sorted(
            (finding for finding in found if _counts(finding.rule, chosen)),
            key=lambda finding: (finding.where.file, finding.where.line_start, finding.rule),
        )
    )


def _instructions_of_others(read: Dockerfile, stages: frozenset[int] | None) -> set[Range]:
    if stages is None:
        return set()
    others = (stage for stage in read.stages if stage.index not in stages)
    return {one.where for stage in others for one in stage.instructions}


def _counts(rule: str, wanted: Directives) -> bool:
    name = rule.lower()
    if wanted.skip_all or name in wanted.skip:
        return False
    return not RULES[rule].experimental or wanted.experimental_all or name in wanted.experimental

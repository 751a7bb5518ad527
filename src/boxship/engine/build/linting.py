"""What of a Dockerfile is unwise, as warnings of the build."""

from collections.abc import Mapping

from boxship.base.errors import InvalidArgumentError
from boxship.dockerfile.directives import read_check
from boxship.dockerfile.ignore import ignore
from boxship.dockerfile.instructions import Directives
from boxship.dockerfile.lint.checking import Facts, check
from boxship.dockerfile.lint.rules import RULES
from boxship.dockerfile.outline import find_stage, needed_stages
from boxship.engine.build.failures import InvalidDockerfileError
from boxship.engine.build.loading import Loaded
from boxship.engine.build.progress import LineRange, VertexWarning
from boxship.engine.build.reporting import Reporter
from boxship.engine.build.requests import BuildRequest


def warn(
    loaded: Loaded,
    request: BuildRequest,
    environments: Mapping[int, Mapping[str, str]],
    report: Reporter,
) -> int:
    """Tell all warnings and return how many. InvalidDockerfileError: they are to be errors."""
    wanted = _wanted(loaded, request)
    given = {name: value for name, value in request.build_args.items() if value is not None}
    facts = Facts(given, environments, ignore(loaded.ignored), _built(loaded, request))
    findings = check(loaded.dockerfile, facts, wanted)
    for finding in findings:
        rule, where = RULES[finding.rule], finding.where
        report.event(
            VertexWarning(
                loaded.vertex,
                f"{finding.rule}: {finding.message} (line {where.line_start})",
                detail=(rule.summary,),
                url=rule.url,
                source=loaded.place(where).source,
                ranges=(LineRange(where.line_start, where.line_end),),
                rule=finding.rule,
            )
        )
    if findings and wanted.warnings_are_errors:
        rules = ", ".join(sorted({finding.rule for finding in findings}))
        raise InvalidDockerfileError(
            f"lint violation found for rules: {rules}", loaded.place(findings[0].where)
        )
    return len(findings)


def _built(loaded: Loaded, request: BuildRequest) -> frozenset[int] | None:
    """Return the stages whose instructions are of interest; ``None`` for all."""
    read = loaded.dockerfile
    if request.check_only or any("$" in stage.start.base for stage in read.stages[1:]):
        # A variable may name a stage, which only planning knows.
        return None
    needed = needed_stages(read, find_stage(read, request.target))
    return frozenset(stage.index for stage in needed)


def _wanted(loaded: Loaded, request: BuildRequest) -> Directives:
    asked = request.build_args.get("BUILDKIT_DOCKERFILE_CHECK")
    try:
        return read_check(asked) if asked else loaded.dockerfile.directives
    except ValueError as error:
        raise InvalidArgumentError(f"BUILDKIT_DOCKERFILE_CHECK={asked}: {error}") from error

"""Each rule: a text that breaks it where it should, and one beside it that does not."""

from dataclasses import dataclass

import pytest

from boxship.dockerfile.directives import read_check
from boxship.dockerfile.ignore import ignore
from boxship.dockerfile.instructions import Directives
from boxship.dockerfile.lint.checking import Facts, check
from boxship.dockerfile.lint.report import as_json, as_text
from boxship.dockerfile.lint.rules import RULES
from boxship.dockerfile.parsing import parse


@dataclass
class Case:
    """``lines`` are those where ``bad`` breaks the rule; ``good`` breaks it nowhere."""

    rule: str
    bad: str
    lines: list[int]
    good: str


CASES = [
    Case(
        "ConsistentInstructionCasing",
        "FROM a\nRUN x\nrun y\nRun z\n",
        [3, 4],
        "from a\nrun x\ncmd []\n",
    ),
    Case("CopyIgnoredFile", "FROM a\nCOPY b/c x d/\n", [2], "FROM a\nCOPY --from=i b /\nADD c ./"),
    Case("DuplicateStageName", "FROM a AS x\nFROM b AS X\n", [2], "FROM a AS x\nFROM b AS y\n"),
    Case("ExposeInvalidFormat", "FROM a\nEXPOSE 1.2.3.4:80:80 8:9\n", [2, 2], "FROM a\nEXPOSE 80"),
    Case("ExposeProtoCasing", "FROM a\nEXPOSE 80/TCP\n", [2], "FROM a\nEXPOSE 80/tcp 81"),
    Case(
        "FromAsCasing",
        "FROM a as x\nfrom b AS y\n",
        [1, 2],
        "FROM a AS x\nfrom b as y\nFrom c as z",
    ),
    Case(
        "FromPlatformFlagConstDisallowed",
        "FROM --platform=linux/arm64 a\n",
        [1],
        "FROM --platform=$BUILDPLATFORM a\nFROM --platform=linux/arm64 a AS with_arm64\n",
    ),
    Case(
        "InvalidDefaultArgInFrom",
        "ARG T\nFROM a:$T\nFROM $T\n",
        [2, 3],
        "ARG T=1\nFROM a:$T\nFROM a:${U:-2}",
    ),
    Case(
        "InvalidDefinitionDescription",
        "# the version\nARG V\n# builds\nFROM a AS b\n",
        [2, 4],
        "# V the version\nARG V\n# note\n\nFROM a AS b\n# in it\nARG W\n# last\nFROM b",
    ),
    Case(
        "JSONArgsRecommended",
        "FROM a\nCMD x\nENTRYPOINT y z\n",
        [2, 3],
        'FROM a AS b\nSHELL ["/x"]\nCMD y\nFROM b\nCMD z\nFROM c\nCMD ["a"]\nHEALTHCHECK CMD x',
    ),
    Case("LegacyKeyValueFormat", "FROM a\nENV b c\nLABEL d e=f\n", [2, 3], "FROM a\nENV b=c d=e"),
    Case("MaintainerDeprecated", "FROM a\nMAINTAINER me\n", [2], "FROM a\nLABEL maintainer=me"),
    Case(
        "MultipleInstructionsDisallowed",
        "FROM a\nCMD []\nCMD []\nENTRYPOINT []\nCMD []\n",
        [2, 3],
        "FROM a\nCMD []\nENTRYPOINT []\nHEALTHCHECK NONE\nFROM b\nCMD []",
    ),
    Case(
        "NoEmptyContinuation",
        "FROM a\nRUN x \\\n\n  y\n",
        [3],
        "FROM a\nRUN x \\\n# c\n y\n\nRUN z",
    ),
    Case(
        "RedundantTargetPlatform",
        "FROM --platform=$TARGETPLATFORM a\nFROM --platform=${TARGETPLATFORM} a\n",
        [1, 2],
        "FROM --platform=$BUILDPLATFORM a\n",
    ),
    Case("ReservedStageName", "FROM a AS scratch\nFROM a AS context\n", [1, 2], "FROM scratch"),
    Case(
        "SecretsUsedInArgOrEnv",
        "FROM a\nARG DB_PASSWORD x\nENV API_KEY=1 y=2\nARG token\n",
        [2, 3, 4],
        "FROM a\nARG PUBLIC_KEY KEYBOARD MONKEY\nENV passwords=1\n",
    ),
    Case("StageNameCasing", "FROM a AS Build\n", [1], "FROM a AS build\n"),
    Case(
        "UndefinedArgInFrom",
        "FROM a:$V\nARG V\nFROM --platform=$BUILDPLATFROM a\n",
        [1, 3],
        "ARG V W\nFROM a:$V\nFROM b:${W}\nFROM --platform=$TARGETPLATFORM c:${X:-1}\n",
    ),
    Case(
        "UndefinedVar",
        "FROM scratch AS s\nARG A\nENV B=$C X=$A\nFROM s\nWORKDIR /$D$B\nCOPY $E /$A\n",
        [3, 5, 6],
        'FROM s\nENV A=$PATH B=$FROMBASE\nRUN $Z\nCMD $Z\nENV C=${Z:-1} D=$A E="$http_proxy"\n',
    ),
    Case(
        "WorkdirRelativePath",
        "FROM a\nWORKDIR b\nWORKDIR /c\nWORKDIR d\n",
        [2],
        "ARG D=/x\nFROM a AS b\nWORKDIR $D\nWORKDIR y\nFROM b\nWORKDIR z\n",
    ),
]

FACTS = Facts(environments={0: {"FROMBASE": "1"}}, ignored=ignore(("b", "a")))


def broken(text: str, rule: str) -> list[int]:
    found = check(parse(text), FACTS, Directives(experimental_all=True))
    return [one.where.line_start for one in found if one.rule == rule]


@pytest.mark.parametrize("case", CASES, ids=[case.rule for case in CASES])
def test_rule_finds_what_breaks_it_and_nothing_beside(case: Case) -> None:
    assert broken(case.bad, case.rule) == case.lines
    assert broken(case.good, case.rule) == []


def test_all_rules_are_here() -> None:
    assert sorted(RULES) == sorted(case.rule for case in CASES)


def test_rules_are_skipped_by_name_or_altogether() -> None:
    text = "FROM a as B\nMAINTAINER x\n"
    rules = {one.rule for one in check(parse(text))}
    assert rules == {"FromAsCasing", "StageNameCasing", "MaintainerDeprecated"}
    text = "# check=skip=fromascasing, StageNameCasing;error=true\n" + text
    read = parse(text)
    assert [one.rule for one in check(read)] == ["MaintainerDeprecated"]
    assert read.directives.warnings_are_errors
    assert check(read, wanted=read_check("skip=all")) == ()


def test_experimental_rules_are_asked_for() -> None:
    read = parse("# version\nARG V\nFROM a\n")
    assert check(read) == ()
    rule = "InvalidDefinitionDescription"
    assert [one.rule for one in check(read, wanted=read_check(f"experimental={rule}"))] == [rule]


def test_of_stages_that_are_not_built_only_the_writing_counts() -> None:
    read = parse("FROM a AS One\nCMD x\nWORKDIR y\nFROM b\nCMD z\n")
    found = check(read, Facts(stages=frozenset({1})))
    assert [(one.rule, one.where.line_start) for one in found] == [
        ("StageNameCasing", 1),
        ("JSONArgsRecommended", 5),
    ]


def test_addresses_of_rules() -> None:
    assert RULES["JSONArgsRecommended"].url.endswith("/rule/json-args-recommended/")
    assert RULES["SecretsUsedInArgOrEnv"].url.endswith("/rule/secrets-used-in-arg-or-env/")


def test_report_shows_the_lines() -> None:
    read = parse("FROM a\n\nMAINTAINER me\n")
    found = check(read)
    assert as_text(read, found) == (
        "WARNING: MaintainerDeprecated - "
        "https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/\n"
        "MAINTAINER is deprecated: use LABEL org.opencontainers.image.authors=\n"
        "Dockerfile:3\n"
        "--------------------\n"
        "   1 |     FROM a\n"
        "   2 |\n"
        "   3 | >>> MAINTAINER me\n"
        "   4 |\n"
        "--------------------\n"
    )
    assert '"ruleName": "MaintainerDeprecated"' in as_json(read, found)

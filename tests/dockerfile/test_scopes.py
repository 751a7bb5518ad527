"""Which variables an instruction sees."""

from boxship.dockerfile.expansion import expand
from boxship.dockerfile.instructions import Arg, Definition, Env, Expose, Instruction
from boxship.dockerfile.parsing import parse
from boxship.dockerfile.scopes import Scope, global_scope, platform_arguments, stage_scope

PLATFORM = platform_arguments("TARGET", "linux", "arm", "v7")


def last_variables(text: str, given: dict[str, str], base: dict[str, str]) -> dict[str, str]:
    """The variables behind the last stage's last instruction."""
    read = parse(text)
    outside = global_scope(read.arguments, given, PLATFORM)
    scope = stage_scope(outside, base)
    for instruction in read.stages[-1].instructions:
        scope = behind(scope, instruction)
    return scope.variables


def behind(scope: Scope, instruction: Instruction) -> Scope:
    if isinstance(instruction, Arg):
        return scope.declare(instruction)
    if isinstance(instruction, Env):
        return scope.set(expand(instruction, scope.variables).instruction)
    return scope


def test_a_global_argument_is_seen_by_from_and_declared_by_a_stage() -> None:
    read = parse("ARG V=1\nARG W=${V}x-$TARGETARCH\nFROM base:$W\nARG W\n")
    outside = global_scope(read.arguments, {"V": "2"}, PLATFORM)
    assert expand(read.stages[0].start, outside.variables).instruction.base == "base:2x-arm"
    scope = stage_scope(outside, {})
    assert scope.variables == {}
    assert behind(scope, read.stages[0].instructions[0]).variables == {"W": "2x-arm"}


def test_given_values_go_before_defaults_and_the_later_of_arg_and_env_counts() -> None:
    text = "FROM a\nARG A=1 B=1 C=1 D=1\nENV C=env\nENV D=env\nARG D=2\n"
    assert last_variables(text, {"B": "given", "C": "given"}, {}) == {
        "A": "1",
        "B": "given",
        "C": "env",
        "D": "2",
    }


def test_for_the_classic_builder_env_has_the_last_word() -> None:
    read = parse("FROM a\nENV C=env\nARG C=2\nARG E=3\n")
    scope = stage_scope(global_scope((), {"C": "given"}, {}, classic=True), {})
    for instruction in read.stages[0].instructions:
        scope = behind(scope, instruction)
    assert scope.variables == {"C": "env", "E": "3"}
    assert scope.arguments == {"E": "3"}


def test_definitions_of_one_arg_do_not_see_each_other() -> None:
    assert last_variables("FROM a\nARG A=1 B=x$A\n", {}, {}) == {"A": "1", "B": "x"}


def test_what_nobody_gave_a_value_is_unset() -> None:
    assert last_variables("FROM a\nARG A\nARG B=\n", {}, {}) == {"B": ""}


def test_pairs_of_one_env_see_what_was_before_it() -> None:
    text = "FROM a\nENV A=new B=$A\nENV PATH=/x:$PATH\n"
    found = last_variables(text, {}, {"A": "old", "PATH": "/bin"})
    assert found == {"A": "new", "B": "old", "PATH": "/x:/bin"}


def test_a_stage_inherits_what_its_base_declared() -> None:
    read = parse("FROM a AS one\nARG A=1\nFROM one\nEXPOSE $A 90\n")
    outside = global_scope((), {}, PLATFORM)
    end = behind(stage_scope(outside, {}), read.stages[0].instructions[0])
    scope = stage_scope(outside, {}, parent=end)
    expose = read.stages[1].instructions[0]
    assert isinstance(expose, Expose)
    assert expand(expose, scope.variables).instruction.ports == ("1", "90")


def test_for_the_classic_builder_arguments_end_with_their_stage() -> None:
    outside = global_scope((), {}, PLATFORM, classic=True)
    end = stage_scope(outside, {}).declare(Arg(definitions=(Definition("A", "1"),)))
    scope = stage_scope(outside, {"E": "2"}, parent=end)
    assert scope.variables == {"E": "2"}
    assert scope.declared == frozenset()


def test_arguments_that_nobody_declares_are_named() -> None:
    given = {"A": "", "Z": "", "http_proxy": "", "SOURCE_DATE_EPOCH": "", "TARGETOS": "x"}
    read = parse("ARG A\nFROM a\n")
    outside = global_scope(read.arguments, given, PLATFORM)
    assert stage_scope(outside, {}).undeclared() == ["Z"]
    assert outside.variables["TARGETOS"] == "x"

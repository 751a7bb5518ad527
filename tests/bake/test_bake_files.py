"""Reading bake files: merging, inheritance, variables, overrides, and what is wrong with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.cli.bake.hcl.body import parse
from boxship.cli.bake.hcl.syntax import HclError
from boxship.cli.bake.overrides import OverrideError, parse_override
from boxship.cli.bake.project import BakeError, Plan, Source, read_project


def planned(text: str, *names: str, environment: dict[str, str] | None = None) -> Plan:
    return read_project([Source("b.hcl", text)], environment or {}).plan(names)


def test_later_files_go_over_earlier_ones() -> None:
    first = Source("a.hcl", 'target "t" {\n tags = ["a"]\n args = { A = 1, B = 1 }\n}\n')
    second = Source(
        "b.json",
        '{"target": {"t": {"tags": ["b"], "args": {"B": "${V}"}}},'
        ' "variable": {"V": {"default": 2}}}',
    )
    target = read_project([first, second], {}).plan(["t"]).targets["t"]
    assert (target.tags, target.args) == (("b",), {"A": "1", "B": "2"})


def test_parents_in_their_order_and_then_the_target_itself() -> None:
    text = """
target "a" { args = { X = "a", Y = "a", Z = "a" } }
target "b" { args = { Y = "b", Z = "b" } }
target "c" {
  inherits = ["a", "b"]
  args = { Z = "c" }
}
"""
    assert planned(text, "c").targets["c"].args == {"X": "a", "Y": "b", "Z": "c"}


def test_variables_from_the_environment_have_the_type_of_their_default() -> None:
    text = """
variable "N" { default = 1 }
variable "B" { default = false }
variable "L" { default = ["x"] }
variable "T" {
  type = map(list(number))
  default = {}
}
variable "U" {}
target "t" {
  args = {
    N = N + 1, B = B ? "yes" : "no", L = join("+", L), T = jsonencode(T), U = U
  }
}
"""
    given = {"N": "41", "B": "1", "L": "a,b", "T": '{"a": ["1", 2]}'}
    args = planned(text, "t", environment=given).targets["t"].args
    assert args == {"N": "42", "B": "yes", "L": "a+b", "T": '{"a":[1,2]}'}


def test_a_condition_of_a_variable_is_checked() -> None:
    text = """
variable "V" {
  default = "a"
  validation {
    condition = V == "a" || V == "b"
    error_message = "V is a or b."
  }
}
target "t" {}
"""
    planned(text, "t")
    with pytest.raises(HclError, match="V: V is a or b"):
        planned(text, "t", environment={"V": "c"})


def test_fields_of_other_targets_and_groups() -> None:
    text = """
target "a" {
  context = "ctx"
  args = { V = "1", W = target.b.tags[0] }
}
target "b" {
  tags = ["t:${target.c.dockerfile}"]
  args = { U = target.a.context, G = join(",", group.g.targets) }
}
target "c" { dockerfile = "Df" }
group "g" { targets = ["a", "b"] }
"""
    found = planned(text, "g").targets
    assert found["a"].args == {"V": "1", "W": "t:Df"}
    assert found["b"].args == {"U": "ctx", "G": "a,b"}


def test_context_of_another_target_is_built_too() -> None:
    text = """
target "base" {}
target "app" { contexts = { base = "target:base" } }
"""
    plan = planned(text, "app")
    assert plan.linked == {"base"}
    assert list(plan.targets) == ["app", "base"]


def test_entries_as_objects() -> None:
    text = """
target "t" {
  cache-from = [{ type = "registry", ref = "a/b" }, "type=gha"]
  secret = [{ id = "s", type = "env", env = "S" }]
  ssh = [{ id = "k", paths = ["a", "b"] }]
}
"""
    target = planned(text, "t").targets["t"]
    assert target.cache_from == ("type=registry,ref=a/b", "type=gha")
    assert target.secret == ("type=env,env=S,id=s",)
    assert target.ssh == ("k=a,b",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('target "t" { tag = [] }', r'b\.hcl:1,20: a target has no attribute "tag"'),
        ('targets "t" {}', r"did you mean target\?"),
        ('target "a b" {}', "invalid name of a target"),
        ('target "t" {\n tags = "x"\n}', r"b\.hcl:2,9: tags: a list is required, not a string"),
        ('target "t" { context = V }', r'there is no variable named "V"'),
        ('target "t" { context = uppr("x") }', r"did you mean upper\?"),
        ("a = b\nb = a\n", "values in a circle: a needs b needs a"),
        ('target "t" { tags = target.t.tags }', r"in a circle: target\.t\.tags needs target"),
        ('target "t" { tags = target.u.tags }', 'there is no target "u"'),
        ('target "t" { context = target.t.contxt }', r'has no "contxt" \(did you mean context'),
        ('target "t" { matrix = { a = [1, 2] } }', "needs a name for each"),
        ('target "t" {\n matrix = { a = [1, 2] }\n name = "x"\n}', "the same name"),
        ('target "t" { name = "x" }', "only a target with a matrix"),
        ('target "t" { inherits = ["u"] }', "failed to find target u, from which t inherits"),
        ('target "t" { inherits = ["t"] }', "inherit in a circle: t from t"),
        ('target "t" { contexts = { a = "target:t" } }', "targets in a circle: t needs t"),
        ('target "t" { contexts = { a = "target:u" } }', "failed to find target u, a context"),
        ('target "t" {', "expected the name of an attribute"),
        ("a = [1, 2\n", "to end a list"),
        ('a = "x\n', "has to end with one on the same line"),
        ("a = <<EOT\nx\n", "no line EOT ends"),
        ('a = "${1"', "to end what is evaluated"),
        ("a = 1 b = 2", "expected a new line"),
        ("a = 1\na = 2", "defined already"),
        ("a = " + "(" * 500, "nested more than 80 deep"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, problem: str) -> None:
    with pytest.raises((HclError, BakeError), match=problem):
        planned(text, "t")


def test_names_that_are_not_there() -> None:
    with pytest.raises(BakeError, match=r"failed to find target ap \(did you mean app\?\)"):
        planned('target "app" {}', "ap")
    with pytest.raises(BakeError, match="failed to find target default"):
        planned('target "app" {}')


@pytest.mark.parametrize(
    "text", ["t", "t.", "t.nope=1", "t.args=1", "t.tags.x=1", "t.context", ".tags=x", "t.push=no"]
)
def test_overrides_that_can_not_be_read(text: str) -> None:
    with pytest.raises(OverrideError):
        parse_override(text)


def test_overrides_of_every_kind() -> None:
    project = read_project([Source("b.hcl", 'target "t" { tags = ["a"] }')], {"FROM_ENV": "e"})
    texts = [
        "t.tags+=b", "*.args.A=1=2", "t.args.FROM_ENV", "t.pull=true", "t.context=x//y",
        "t.output=type=tar,dest=a", "t.output=type=oci", "t.contexts.c=docker-image://x",
        "t.labels.a.b=c",
    ]  # fmt: skip
    target = project.plan(["t"], map(parse_override, texts)).targets["t"]
    assert target.tags == ("a", "b")
    assert target.args == {"A": "1=2", "FROM_ENV": "e"}
    assert (target.pull, target.context) == (True, "x/y")
    assert target.output == ("type=tar,dest=a", "type=oci")
    assert target.contexts == {"c": "docker-image://x"}
    assert target.labels == {"a.b": "c"}
    with pytest.raises(OverrideError, match="could not find any target matching 'u'"):
        project.plan(["t"], [parse_override("u.tags=x")])


PIECES = st.sampled_from(
    [
        *(
            "target",
            "variable",
            '"t"',
            "{",
            "}",
            "[",
            "]",
            "(",
            ")",
            "=",
            "==",
            "?",
            ":",
            ",",
            "\n",
        ),
        *('"${', '}"', "%{ if", "%{ endif }", "for", "in", "=>", "...", ".", ".*", "[*]", "<<E\n"),
        *("E\n", "x", "1", "-", "!", "#c\n", "/*", "*/", "true", "null", '"', "\\", "upper(", "é"),
    ]
)


@given(st.lists(PIECES, max_size=25).map(" ".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text, "b.hcl")
    except HclError:
        return

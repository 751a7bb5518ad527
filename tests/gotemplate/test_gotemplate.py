import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.gotemplate.errors import ExecutionError, ParseError, TemplateError
from boxship.gotemplate.printf import sprintf
from boxship.gotemplate.template import WHOLE, Template
from boxship.gotemplate.values import NilMap, NilSlice, Struct

DATA = {
    "Name": "web",
    "N": 3,
    "F": 1.5,
    "Big": 1e21,
    "T": True,
    "Nil": None,
    "Empty": "",
    "List": ["a", "b", "c"],
    "None": [],
    "Map": {"y": 2, "x": 1},
    "Labels": {"com.example.a": "1"},
    "S": Struct({"B": "first", "A": 2}, {"Hidden": None}),
    "Deep": {"Name": {"Name": "end"}},
}

RENDERED = [
    ("", ""),
    ("plain", "plain"),
    ("{{.Name}}", "web"),
    ("{{ .Name }}", "web"),
    ("{{.}}", None),
    ("{{.N}} {{.F}} {{.Big}} {{.T}} {{.Nil}} {{.Missing}}", "3 1.5 1e+21 true <nil> <no value>"),
    ("{{.List}} {{.Map}} {{.S}}", "[a b c] map[x:1 y:2] {first 2}"),
    ("{{.Deep.Name.Name}}", "end"),
    ("a {{- .Name -}} b", "awebb"),
    ("a {{/* note */}} b", "a  b"),
    ("a {{- /* note */ -}} b", "ab"),
    ('{{"a\\tb"}}{{`c\\td`}}', "a\tbc\\td"),
    ("{{'a'}} {{0x10}} {{1e3}} {{-2}}", "97 16 1000 -2"),
    ("{{true}} {{false}}", "true false"),
    # variables
    ("{{$x := .N}}{{$x}}", "3"),
    ("{{$x := 1}}{{$x = 2}}{{$x}}", "2"),
    ("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"),
    ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
    ("{{with .S}}{{$.Name}}{{end}}", "web"),
    # conditions
    ("{{if .Empty}}yes{{else}}no{{end}}", "no"),
    ("{{if .None}}1{{else if .Name}}2{{else}}3{{end}}", "2"),
    ("{{if .Nil}}1{{else if .Empty}}2{{else}}3{{end}}", "3"),
    ("{{with .Empty}}x{{else}}{{.Name}}{{end}}", "web"),
    ("{{with .Deep}}{{.Name}}{{end}}", "map[Name:end]"),
    ("{{with $x := .Name}}{{$x}}{{end}}", "web"),
    ("{{if not .Nil}}y{{end}}{{if .S}}s{{end}}", "ys"),
    # loops
    ("{{range .List}}{{.}},{{end}}", "a,b,c,"),
    ("{{range $i, $e := .List}}{{$i}}{{$e}} {{end}}", "0a 1b 2c "),
    ("{{range $e := .List}}{{$e}}{{end}}", "abc"),
    ("{{range $k, $v := .Map}}{{$k}}={{$v}} {{end}}", "x=1 y=2 "),
    ("{{range .None}}x{{else}}empty{{end}}", "empty"),
    ("{{range .Nil}}x{{else}}empty{{end}}", "empty"),
    ("{{range .List}}{{if eq . `b`}}{{continue}}{{end}}{{.}}{{end}}", "ac"),
    ("{{range .List}}{{if eq . `b`}}{{break}}{{end}}{{.}}{{end}}", "a"),
    ("{{range 3}}{{.}}{{end}}", "012"),
    # calls and pipelines
    ("{{.Name | printf `%-5s|`}}", "web  |"),
    ("{{printf `%d-%s` .N .Name}}", "3-web"),
    ("{{.Name | upper | lower | title}}", "Web"),
    ("{{(index .List 1)}}", "b"),
    ("{{(index .Deep `Name`).Name}}", "end"),
    ("{{len .List}} {{len .Name}} {{len .Map}}", "3 3 2"),
    ("{{index .Labels `com.example.a`}}|{{index .Labels `none`}}|", "1||"),
    ("{{slice .Name 1}} {{slice .List 0 2}}", "eb [a b]"),
    ("{{join .List `, `}}", "a, b, c"),
    ("{{join (split `a.b.c` `.`) `/`}}", "a/b/c"),
    ("{{pad .Name 1 2}}|{{pad .Empty 1 2}}|", " web  ||"),
    ("{{truncate .Name 2}}{{truncate .Name 9}}", "weweb"),
    ("{{println .Name 1}}", "web 1\n"),
    ("{{print .Name 1 2}}", "web1 2"),
    ("{{html `<a&\"b'>`}}", "&lt;a&amp;&#34;b&#39;&gt;"),
    ("{{urlquery `a b&c`}}", "a+b%26c"),
    # logic and comparison
    ("{{and .Name .N}} {{and .Empty .N}}|", "3 |"),
    ("{{or .Empty .Name}} {{or .Empty .None}}", "web []"),
    ("{{or .Name (index .None 5)}}", "web"),
    ("{{and .Empty (index .None 5)}}|", "|"),
    ("{{eq .N 3}} {{eq .N 1 2 3}} {{ne .Name `x`}}", "true true true"),
    ("{{lt 1 2}} {{le 2 2}} {{gt `b` `a`}} {{ge 1 2}}", "true true true false"),
    ("{{if and (eq .N 3) (gt .F 1.0)}}both{{end}}", "both"),
    # JSON
    ("{{json .Map}}", '{"x":1,"y":2}'),
    ("{{json .S}}", '{"B":"first","A":2}'),
    ("{{json .Name}} {{json .Nil}} {{json .List}}", '"web" null ["a","b","c"]'),
    ("{{json `<é>`}}", '"<é>"'),
    # templates inside the template
    ("{{define `x`}}[{{.}}]{{end}}{{template `x` .Name}}", "[web]"),
    ("{{block `x` .N}}<{{.}}>{{end}}", "<3>"),
    ("{{.S.Hidden}}", "<nil>"),
]


@pytest.mark.parametrize(("source", "expected"), [pair for pair in RENDERED if pair[1] is not None])
def test_templates_render_as_in_go(source: str, expected: str) -> None:
    assert Template(source).render(DATA) == expected


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{", "unclosed action"),
        ("{{.A", "unclosed action"),
        ("{{if .A}}", "unexpected EOF"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{else}}", "unexpected {{else}}"),
        ("{{if}}x{{end}}", "missing value for if"),
        ("{{}}", "missing value for command"),
        ("{{foo}}", 'function "foo" not defined'),
        ("{{$x}}", 'undefined variable "$x"'),
        ('{{"a}}', "unterminated quoted string"),
        ("{{(.A}}", "unclosed left paren"),
        ("{{.A)}}", "unexpected right paren"),
        ("{{/* a }}", "unclosed comment"),
        ("{{break}}", "outside {{range}}"),
        ("{{.A | }}", "missing value for command"),
        ("{{1.2.3.x}}", ""),
        ("one\n{{end}}", "template: :2: unexpected"),
    ],
)
def test_what_is_not_a_template_is_refused_with_the_reason(source: str, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        Template(source)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "{{.Name.X}}",
            'template: :1:2: executing "" at <.Name.X>: can\'t evaluate field X in type string',
        ),
        ("{{.S.Nope}}", 'at <.S.Nope>: map has no entry for key "Nope"'),
        ("ab{{.Nil.X}}", 'template: :1:4: executing "" at <.Nil.X>: nil data'),
        ("a\n{{index .List 9}}", "template: :2:2"),
        ("{{index .List 9}}", "error calling index: index out of range: 9"),
        ("{{eq .N .Name}}", "error calling eq: incompatible types for comparison"),
        ("{{lt true false}}", "invalid type for comparison"),
        ("{{upper .N}}", "expected string; got int"),
        ("{{join .Name `,`}}", "error calling join"),
        ("{{upper}}", "wrong number or type of args for upper"),
        ("{{.Name 1}}", "Name is not a method but has arguments"),
        ("{{1 | 2}}", "can't give argument to non-function 2"),
        ("{{range .Name}}{{end}}", "range can't iterate over web"),
        ("{{template `x`}}", 'template "x" not defined'),
        ("{{define `x`}}{{template `x`}}{{end}}{{template `x`}}", "maximum template depth"),
    ],
)
def test_what_does_not_fit_the_data_names_the_place(source: str, message: str) -> None:
    with pytest.raises(ExecutionError) as caught:
        Template(source).render(DATA)
    assert message in str(caught.value)


def test_a_strict_template_refuses_missing_keys() -> None:
    with pytest.raises(ExecutionError, match='map has no entry for key "Missing"'):
        Template("{{.Missing}}", strict=True).render(DATA)


def test_nil_slices_and_maps_print_empty_and_are_null_in_json() -> None:
    data = {"L": NilSlice(), "M": NilMap()}
    assert Template("{{.L}}{{.M}}{{json .}}").render(data) == '[]map[]{"L":null,"M":null}'


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("{{.A}}{{.B.C}}", {"A", "B"}),
        ("{{if .A}}{{range .B}}{{end}}{{else}}{{.C}}{{end}}", {"A", "B", "C"}),
        ("{{printf `%s` .A}}", {"A"}),
        ("{{upper (lower .A)}}", {"A"}),
        ("{{json .}}", {WHOLE}),
        ("text", set()),
    ],
)
def test_a_template_tells_which_fields_it_needs(source: str, names: set[str]) -> None:
    assert Template(source).fields() == names


@pytest.mark.parametrize(
    ("template", "arguments", "expected"),
    [
        ("%s|%5s|%-5s|%.2s", ("a", "b", "c", "defg"), "a|    b|c    |de"),
        ("%d|%5d|%-5d|%05d|%+d", (1, 2, 3, 4, 5), "1|    2|3    |00004|+5"),
        ("%x %X %#x %o %b %c %U", (255, 255, 255, 8, 5, 65, 65), "ff FF 0xff 10 101 A U+0041"),
        ("%q %x", ('a"b\n', "hi"), '"a\\"b\\n" 6869'),
        ("%v %v %v", (True, None, [1, 2]), "true <nil> [1 2]"),
        ("%t %T %T", (False, "x", 1), "false string int"),
        ("%.2f %g %e", (1.005, 1.5, 12345.678), "1.00 1.5 1.234568e+04"),
        ("%*d", (5, 42), "   42"),
        ("100%%", (), "100%"),
        ("%d", ("x",), "%!d(string=x)"),
        ("%s", (), "%!s(MISSING)"),
        ("%s", ("a", "b"), "a%!(EXTRA string=b)"),
        ("%!", (), "%!!(MISSING)"),
        ("%", (), "%!(NOVERB)"),
    ],
)
def test_printf_follows_go(template: str, arguments: tuple[object, ...], expected: str) -> None:
    assert sprintf(template, arguments) == expected


@given(st.text())
def test_text_without_actions_is_left_alone(text: str) -> None:
    text = text.replace("{{", "{")
    assert Template(text).render({}) == text


@given(st.text(alphabet="{}.-|()$:= \"`'abx1%/*\n", max_size=40))
def test_no_input_brings_the_engine_down(text: str) -> None:
    with suppress(TemplateError):
        Template(text).render({"a": "1", "b": [1]})


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON_VALUES)
def test_json_can_be_read_back(value: object) -> None:
    assert json.loads(Template("{{json .}}").render(value)) == value


@pytest.mark.parametrize(
    ("template", "arguments", "text"),
    [
        ("%1000001d|", [1], "%!(NOVERB)|%!(EXTRA int=1)"),
        ("%.1000001f", [1.5], "%!(NOVERB)%!(EXTRA float64=1.5)"),
        ("%99999999999999999999d", [1], "%!(NOVERB)%!(EXTRA int=1)"),
        ("%*d", [1_000_001, 1], "%!(BADWIDTH)"),
        ("%.*f", [1_000_001, 1.5], "%!(BADPREC)"),
    ],
)
def test_no_text_is_made_as_wide_as_the_memory(
    template: str, arguments: list[object], text: str
) -> None:
    assert sprintf(template, arguments) == text


def test_no_text_is_padded_as_wide_as_the_memory() -> None:
    with pytest.raises(ExecutionError, match="more than 1000000 blanks"):
        Template('{{pad "x" 1000001 0}}').render({})

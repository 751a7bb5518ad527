import pytest

from boxship.cli import kinds
from boxship.cli.flags import Flag, FlagError, HelpRequested, Parser

TABLE = (
    Flag("all", "a", kinds.BOOL, ""),
    Flag("interactive", "i", kinds.BOOL, ""),
    Flag("tty", "t", kinds.BOOL, ""),
    Flag("proxy", "", kinds.BOOL, "", default=True),
    Flag("publish", "p", kinds.LIST, ""),
    Flag("name", "", kinds.STRING, ""),
    Flag("last", "n", kinds.INT, "", default=-1),
    Flag("network", "", kinds.LIST, ""),
    Flag("net", "", kinds.LIST, "", hidden=True, target="network"),
)


def parse(*arguments: str, interspersed: bool = True):
    return Parser(TABLE, interspersed=interspersed).parse(arguments)


@pytest.mark.parametrize(
    "arguments",
    [("-it",), ("-i", "-t"), ("-i=true", "--tty"), ("--interactive=1", "--tty=T"), ("-ti",)],
)
def test_booleans_are_combined_or_assigned(arguments) -> None:
    values, _ = parse(*arguments)
    assert values.on("interactive")
    assert values.on("tty")
    assert not values.on("all")


def test_a_boolean_takes_no_value_from_the_next_argument() -> None:
    values, positional = parse("--all", "false")
    assert values.on("all")
    assert positional == ["false"]


def test_a_boolean_that_is_on_is_turned_off_by_assignment() -> None:
    values, _ = parse("--proxy=false")
    assert not values.on("proxy")
    assert values.changed("proxy")


@pytest.mark.parametrize(
    "arguments", [("-p", "80"), ("-p80",), ("-p=80",), ("--publish", "80"), ("--publish=80",)]
)
def test_values_are_attached_assigned_or_follow(arguments) -> None:
    values, positional = parse(*arguments, "x")
    assert values.many("publish") == ("80",)
    assert positional == ["x"]


def test_a_value_may_follow_combined_booleans() -> None:
    values, _ = parse("-itp", "80")
    assert values.many("publish") == ("80",)
    assert values.on("tty")


def test_lists_are_collected_in_order_across_aliases() -> None:
    values, _ = parse("--net", "a", "--network=b", "--net=c")
    assert values.many("network") == ("a", "b", "c")
    assert values.changed("network")


def test_an_empty_value_and_one_with_equals_signs_are_kept() -> None:
    values, _ = parse("--name=", "-p", "a=b=c")
    assert values.text("name") == ""
    assert values.changed("name")
    assert values.many("publish") == ("a=b=c",)


def test_flags_stand_anywhere_unless_the_command_runs_another() -> None:
    values, positional = parse("x", "-a", "y")
    assert values.on("all")
    assert positional == ["x", "y"]
    values, positional = parse("-i", "image", "-a", "--unknown", interspersed=False)
    assert positional == ["image", "-a", "--unknown"]
    assert not values.on("all")


def test_two_dashes_end_the_flags_and_one_is_an_argument() -> None:
    values, positional = parse("-", "--", "-a")
    assert positional == ["-", "-a"]
    assert not values.on("all")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--foo",), "unknown flag: --foo"),
        (("--foo=1",), "unknown flag: --foo"),
        (("-x",), "unknown shorthand flag: 'x' in -x"),
        (("-ix",), "unknown shorthand flag: 'x' in -ix"),
        (("--name",), "flag needs an argument: --name"),
        (("-p",), "flag needs an argument: 'p' in -p"),
        (("-ip",), "flag needs an argument: 'p' in -ip"),
        (("--=x",), "bad flag syntax: --=x"),
        (("---x",), "bad flag syntax: ---x"),
        (("-n", "x"), 'invalid argument "x" for "-n, --last" flag: \'x\' is not a whole number'),
        (("--all=maybe",), 'invalid argument "maybe" for "-a, --all" flag'),
    ],
)
def test_mistakes_name_the_flag(arguments, message) -> None:
    with pytest.raises(FlagError) as caught:
        parse(*arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("x", "--help")])
def test_help_is_asked_for(arguments) -> None:
    with pytest.raises(HelpRequested):
        parse(*arguments)


def test_dash_h_is_a_flag_where_the_table_says_so() -> None:
    table = (Flag("hostname", "h", kinds.STRING, ""),)
    values, _ = Parser(table).parse(["-h", "box"])
    assert values.text("hostname") == "box"


def test_asking_for_a_flag_that_is_not_declared_is_a_defect() -> None:
    values, _ = parse()
    with pytest.raises(KeyError):
        values.on("nothing")

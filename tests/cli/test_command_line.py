"""Dispatch, help, errors and exit codes."""

from importlib import import_module

import pytest

from boxship import __version__
from boxship.cli import catalog
from boxship.cli.main import main
from boxship.cli.verb import Command


@pytest.mark.parametrize("entry", catalog.ENTRIES, ids=lambda entry: entry.module)
def test_every_entry_has_a_command_with_help(entry: catalog.Entry, capsys) -> None:
    command: Command = import_module(f"boxship.cli.command.{entry.module}").COMMAND
    for path in entry.paths:
        assert main([*path.split(), "--help"]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith(f"Usage:  boxship {path} {command.usage}".rstrip() + "\n")
        assert entry.summary in shown
        for flag in command.flags:
            assert flag.hidden or f"--{flag.name}" in shown


@pytest.mark.parametrize("entry", catalog.ENTRIES, ids=lambda entry: entry.module)
def test_flags_are_declared_well(entry: catalog.Entry) -> None:
    command: Command = import_module(f"boxship.cli.command.{entry.module}").COMMAND
    names = [flag.name for flag in command.flags]
    shorts = [flag.short for flag in command.flags if flag.short]
    assert len(set(names)) == len(names)
    assert len(set(shorts)) == len(shorts)
    assert all(flag.target in names for flag in command.flags if flag.target)
    assert all(flag.help or flag.hidden for flag in command.flags)


def test_no_name_is_taken_twice() -> None:
    paths = [path for entry in catalog.ENTRIES for path in entry.paths]
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_the_programs_help_lists_every_verb(arguments: list[str], capsys) -> None:
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    for entry in catalog.ENTRIES:
        assert not entry.top or f"\n  {entry.top} " in shown
    assert "Run 'boxship COMMAND --help'" in shown


@pytest.mark.parametrize("arguments", [["container"], ["container", "--help"]])
def test_a_nouns_help_lists_its_verbs(arguments: list[str], capsys) -> None:
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "\n  ls " in shown
    assert "\n  inspect " in shown


def test_long_names_keep_the_column(capsys) -> None:
    assert main(["system"]) == 0
    rows = capsys.readouterr().out.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    begins = {len(row) - len(row.split(maxsplit=1)[1]) for row in rows}
    assert len(begins) == 1, rows


def test_the_version(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"Boxship version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said", "hint"),
    [
        (["foo"], 1, "boxship: unknown command: boxship foo", "boxship --help"),
        (["container", "foo"], 1, "unknown command: boxship container foo\n", "container --help"),
        (["lgos"], 1, "boxship lgos; is 'boxship logs' meant?", "boxship --help"),
        (["system", "chrck"], 1, "chrck; is 'boxship system check' meant?", "system --help"),
        (["systemz", "df"], 1, "is 'boxship system' meant?", "boxship --help"),
        (["--foo"], 125, "unknown flag: --foo", "boxship --help"),
        (["ps", "--foo"], 125, "unknown flag: --foo", "boxship ps --help"),
        (["rm"], 1, "'boxship rm' requires at least 1 argument", "boxship rm --help"),
        (["exec", "x"], 1, "'boxship exec' requires at least 2 arguments", "exec --help"),
        (["logs"], 1, "'boxship logs' requires 1 argument", "boxship logs --help"),
        (["logs", "a", "b"], 1, "'boxship logs' requires 1 argument", "boxship logs --help"),
        (["rename", "a"], 1, "'boxship rename' requires 2 arguments", "rename --help"),
        (["images", "a", "b"], 1, "requires at most 1 argument", "boxship images --help"),
        (["ps", "x"], 1, "'boxship ps' accepts no arguments", "boxship ps --help"),
        (["container", "rm"], 1, "'boxship container rm' requires", "container rm --help"),
        (["ps", "-f", "x"], 125, "bad format of filter", "boxship ps --help"),
    ],
)
def test_misuse_says_what_is_wrong_and_where_to_read_on(
    arguments: list[str], code: int, said: str, hint: str, capsys
) -> None:
    assert main(arguments) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert hint in shown.err.splitlines()[-1]


def test_a_daemon_that_is_not_there_is_exit_1_and_125_for_run(tmp_path, capsys) -> None:
    host = f"unix://{tmp_path}/none.sock"
    assert main(["-H", host, "ps"]) == 1
    assert "Is the daemon running?" in capsys.readouterr().err
    assert main(["-H", host, "run", "busybox"]) == 125
    shown = capsys.readouterr().err
    assert shown.startswith("boxship: Cannot connect")
    assert shown.endswith("Run 'boxship run --help' for more information\n")


def test_a_reader_that_goes_away_ends_the_program_quietly(recorder, ours) -> None:
    import subprocess

    recorder.answers["GET /containers/json"] = (200, "[]")
    process = subprocess.Popen(
        [*ours.command, "-H", ours.host, "ps"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_the_module_is_the_program(ours) -> None:
    outcome = ours("--version")
    assert outcome.out == f"Boxship version {__version__}\n"

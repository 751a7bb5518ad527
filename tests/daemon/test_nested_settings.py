"""Mistakes within the objects of daemon.json: where they stand, and what, in JSON's words."""

from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.daemon.config import load_config


def refused(tmp_path: Path, text: str, *arguments: str, **variables: str) -> str:
    """Return what is said of a file, without its name."""
    path = tmp_path / "daemon.json"
    path.write_text(text)
    with pytest.raises(InvalidArgumentError) as raised:
        load_config(["--config-file", str(path), *arguments], variables)
    return str(raised.value).partition(f"{path}: ")[2]


LIMITS = '{"default-ulimits":\n {"nofile": '


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"builder":\n {"cg": {}}}', 'line 2, column 3: builder: unknown key "cg" (known are '),
        ('{"builder": {"gc":\n {"enabled": null}}}',
         "line 2, column 3: builder.gc.enabled: null is neither true nor false"),
        ('{"builder": {"gc": {"policy": [{},\n  {"filter": {"type": 3}}]}}}',
         'line 2, column 4: builder.gc.policy.filter: expected a list of name=value, got '
         '{"type": 3}'),
        ('{"builder": {"history":\n{"maxAge": "x"}}}',
         'line 2, column 2: builder.history.maxAge: "x" is no time like 48h'),
        ('{"runtimes":\n {"x": {"path": true}}}',
         "line 2, column 9: invalid runtimes: x: a path is needed"),
        ('{"runtimes":\n {"x": {}}}', "line 2, column 3: invalid runtimes: x: a path is needed"),
        ('{"features":\n {"cdi": {"on": true}}}',
         'line 2, column 3: invalid feature cdi={"on": true}: it must be true or false'),
        ('{"log-opts":\n {"max-file": null}}',
         "line 2, column 3: invalid log-opts: max-file: expected a text, got null"),
        ('{"nri-opts":\n {"foo": 7}}', 'line 2, column 3: nri-opts: unknown key "foo" (known are '),
        ('{"nri-opts":\n {"enable": {"x": 1}}}',
         'line 2, column 3: nri-opts.enable: expected true or false, got {"x": 1}'),
        ('{"exec-opts": ["native.cgroupdriver=cgroupfs",\n "foo"]}',
         "line 2, column 2: invalid exec-opts: foo (known is native.cgroupdriver=cgroupfs or "),
        (LIMITS + '{"Soft": 20, "Hard": 10}}}',
         "line 2, column 3: invalid default-ulimit nofile: ulimit soft limit must be less than or "
         "equal to hard limit: 20 > 10"),
        (LIMITS + '"-1:10"}}', "line 2, column 3: invalid default-ulimit nofile: ulimit soft "),
        (LIMITS + '{"Soft": "a", "Hard": 1}}}',
         'line 2, column 14: default-ulimits.nofile.Soft: expected a number, got "a"'),
        (LIMITS + '{"Soft": 1}}}',
         'line 2, column 3: default-ulimits.nofile: Soft and Hard are needed, got {"Soft": 1}'),
        (LIMITS + '{"soft": 1, "hard": 1, "Name": "core"}}}',
         'line 2, column 36: default-ulimits.nofile.Name: "core" is not "nofile", as it is called'),
        (LIMITS + '{"__wrong": 3}}}',
         'line 2, column 14: default-ulimits.nofile: unknown key "__wrong" (known are Name, '),
        ('{"default-ulimits": {"no": "1"}}',
         "line 1, column 22: default-ulimits: invalid ulimit type: no (one of as, "),
        ('{"debug": {"a": [true, null, "x"]}}',
         'line 1, column 2: debug: expected true or false, got {"a": [true, null, "x"]}'),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    assert refused(tmp_path, text).startswith(told)


def test_what_the_file_does_not_say_has_no_place_in_it(tmp_path: Path) -> None:
    """Runtimes of the file and of flags add up; a variable counts more than the file."""
    file = '{"runtimes": {"mine": {"path": "/x"}}, "features": {"cdi": "maybe"}}'
    flag = "--add-runtime=runc=/y"
    without = file.replace("maybe", "true")
    assert refused(tmp_path, without, flag).startswith("runtime name 'runc' is reserved")
    said = refused(tmp_path, file, BOXSHIP_FEATURES="cdi=perhaps")
    assert said.startswith("invalid feature cdi=perhaps")
    assert refused(tmp_path, "{}", "--nri-opts=enable=7").startswith("nri-opts.enable: expected")
    assert refused(tmp_path, "{}", "--exec-opt=foo=bar").startswith("invalid exec-opts: foo=bar")


@pytest.mark.parametrize(
    "option", ["--nri-opts=enable=true,socket-path=/x", "--default-ulimit=nofile=-1:-1"]
)
def test_what_is_right_is_taken(option: str) -> None:
    load_config(["--config-file", "/dev/null", option], {})

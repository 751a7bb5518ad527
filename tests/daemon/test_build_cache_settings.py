"""``builder.gc`` of daemon.json."""

import json
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.daemon.buildcache import build_cache_settings
from boxship.daemon.config import load_config
from boxship.engine.settings import BuildCacheSettings, CachePolicy


def settings(path: Path, gc: object) -> BuildCacheSettings:
    path.write_text(json.dumps({"builder": {"gc": gc}}))
    return build_cache_settings(load_config(["--config-file", str(path)]))


def test_what_dockerd_reads_is_read(tmp_path: Path) -> None:
    policy = [
        {"keepStorage": "10GB", "filter": ["unused-for=2200h"]},
        {"reservedSpace": 5, "minFreeSpace": "1m", "all": True},
        {"filter": {"type": {"source.local": True}}},
    ]
    found = settings(tmp_path / "f", {"defaultKeepStorage": "20GB", "policy": policy})
    assert found == BuildCacheSettings(
        keep_bytes=20 << 30,
        policies=(
            CachePolicy(keep_bytes=10 << 30, filters=("unused-for=2200h",)),
            CachePolicy(keep_bytes=5, min_free_bytes=1 << 20, all=True),
            CachePolicy(filters=("type=source.local",)),
        ),
    )
    assert not settings(tmp_path / "f", {"enabled": False}).collects


@pytest.mark.parametrize(
    "gc",
    [
        {"enabled": "yes"},
        {"defaultKeepStorage": "much"},
        {"policy": {"x": 1}},
        {"policy": [3]},
        {"policy": [{"filter": ["x"]}]},
        [],
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, gc: object) -> None:
    with pytest.raises(InvalidArgumentError, match=r"builder\.gc"):
        settings(tmp_path / "f", gc)

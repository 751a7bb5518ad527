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


def test_history_and_entitlements(tmp_path: Path) -> None:
    def built(builder: object) -> BuildCacheSettings:
        (tmp_path / "f").write_text(json.dumps({"builder": builder}))
        return build_cache_settings(load_config(["--config-file", str(tmp_path / "f")]))

    found = built(
        {
            "history": {"maxAge": "48h", "maxEntries": 3},
            "entitlements": {"network-host": False, "security-insecure": False, "device": True},
        }
    )
    assert (found.history_most, found.history_age_ns) == (3, 48 * 3600 * 10**9)
    assert found.denied == {"network.host", "security.insecure"}
    for wrong in (
        {"gcc": {}},
        {"history": {"maxAge": "soon"}},
        {"history": {"maxEntries": -1}},
        {"entitlements": {"network-host": "no"}},
        {"entitlements": {"netwrok-host": True}},
    ):
        with pytest.raises(InvalidArgumentError, match="builder"):
            built(wrong)


@pytest.mark.parametrize(
    "gc",
    [
        {"enabled": "yes"},
        {"defaultKeepStorage": "much"},
        {"policy": {"x": 1}},
        {"policy": [3]},
        {"policy": [{"filter": ["x"]}]},
        {"policy": [{"filter": {"type": 3}}]},
        {"policy": [{"all": "yes"}]},
        {"policy": [{"keepDuration": "soon"}]},
        {"defaultMinFreeSpace": "much"},
        {"policy": [{"keepStorgae": 1}]},
        [],
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, gc: object) -> None:
    with pytest.raises(InvalidArgumentError, match=r"builder\.gc"):
        settings(tmp_path / "f", gc)

"""The ledger of lost lines: shared, in place, and of no harm when it can't be written."""

from pathlib import Path

from boxship.runtime.logs.losses import NAME, Ledger, Losses, forget_losses, read_losses


def test_several_writers_add_to_it(tmp_path: Path):
    first, second = Ledger(f"{tmp_path}/{NAME}"), Ledger(f"{tmp_path}/{NAME}")
    size = (tmp_path / NAME).stat().st_size
    first.add(Losses(disk=2, reason="no room"))
    second.add(Losses(target=3, buffer=1, reason="nobody there"))
    assert first.write() and second.write()
    first.add(Losses(disk=1))
    assert first.write()
    assert read_losses(str(tmp_path)) == Losses(3, 1, 3, "nobody there")
    assert read_losses(str(tmp_path)).lines == 7
    assert (tmp_path / NAME).stat().st_size == size


def test_a_long_reason_and_odd_characters_fit(tmp_path: Path):
    ledger = Ledger(f"{tmp_path}/{NAME}")
    size = (tmp_path / NAME).stat().st_size
    ledger.add(Losses(disk=10**15, buffer=10**15, target=10**15, reason='é"\n' * 400))
    assert ledger.write()
    assert (tmp_path / NAME).stat().st_size == size
    assert read_losses(str(tmp_path)).disk == 10**15


def test_what_can_not_be_written_is_written_later(tmp_path: Path):
    ledger = Ledger(f"{tmp_path}/later/{NAME}")
    ledger.add(Losses(disk=1))
    assert not ledger.write()
    (tmp_path / "later").mkdir()
    ledger.add(Losses(disk=2))
    assert ledger.write()
    assert ledger.is_written
    assert read_losses(f"{tmp_path}/later") == Losses(disk=3)


def test_it_does_not_come_back_when_its_container_is_gone(tmp_path: Path):
    ledger = Ledger(f"{tmp_path}/{NAME}")
    (tmp_path / NAME).unlink()
    ledger.add(Losses(disk=1))
    assert not ledger.write()
    assert list(tmp_path.iterdir()) == []


def test_it_begins_from_zero_again(tmp_path: Path):
    ledger = Ledger(f"{tmp_path}/{NAME}")
    ledger.add(Losses(disk=5, reason="x"))
    ledger.write()
    forget_losses(str(tmp_path))
    assert read_losses(str(tmp_path)) == Losses()


def test_none_and_nonsense_are_nothing(tmp_path: Path):
    assert read_losses(str(tmp_path)) == Losses()
    forget_losses(str(tmp_path))
    (tmp_path / NAME).write_bytes(b'{"disk": ')
    assert read_losses(str(tmp_path)) == Losses()

"""One lab command at a time."""

from pathlib import Path

import pytest

from lab import session
from lab.processes import LabError


def test_a_second_command_is_refused_and_other_users_can_not_hold_the_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock"
    monkeypatch.setattr(session, "_LOCK", lock)
    monkeypatch.setattr(session, "_OWNER", tmp_path / "owner")
    with session.exclusive():
        assert lock.stat().st_mode & 0o777 == 0o600
        with pytest.raises(LabError, match="another lab command is running"), session.exclusive():
            pytest.fail("two commands hold the lab")
    with session.exclusive():
        pass

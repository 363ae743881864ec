"""What a process keeps that runs the program of registrations for many stacks."""

from pathlib import Path

import pytest

from components.stackfile import registration_config as config
from components.stackfile.registration import RegistrationFile, read_registration
from tests.support.registrations import data, file_text


def test_a_registration_is_read_again_only_after_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def counted(file: Path) -> RegistrationFile:
        read.append(file)
        return read_registration(file)

    monkeypatch.setattr(config, "read_registration", counted)
    file = tmp_path / "Pulumi.butikk.yaml"
    file.write_text(file_text())
    assert config._read(file) == config._read(file)
    assert len(read) == 1
    file.write_text(file_text(data(domains=["annen.example.no"])))
    again = config._read(file).registration
    assert again is not None
    assert again.domains == ("annen.example.no",)

"""A layer is the same bytes wherever and whenever it is made, and is known without being read."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from lab.images.layers import Entry, File, Folder, Layer, Link, tree


def packed(*entries: Entry) -> bytes:
    return b"".join(Layer(entries).stream())


def opened(*entries: Entry) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(packed(*entries)))


def test_the_order_of_entries_makes_no_difference() -> None:
    one, other = File("usr/bin/a", b"a", 0o755), Link("usr/bin/b", "a")
    assert packed(one, other) == packed(other, one)


def test_the_time_and_place_of_a_source_make_no_difference(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"program")
    second.write_bytes(b"program")
    os.utime(second, (1, 1))
    assert packed(File("bin/it", first)) == packed(File("bin/it", second)) == packed(File("bin/it", b"program"))


def test_members_are_roots_have_no_time_and_the_wanted_mode() -> None:
    members = opened(File("bin/it", b"x", 0o755), Folder("tmp", 0o1777), Link("bin/too", "it")).getmembers()
    assert [(m.name, m.mode) for m in members] == [
        ("bin", 0o755),
        ("bin/it", 0o755),
        ("bin/too", 0o777),
        ("tmp", 0o1777),
    ]
    assert {(m.uid, m.gid, m.mtime, m.uname, m.gname) for m in members} == {(0, 0, 0, "", "")}


def test_content_comes_out_as_it_went_in(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom((1 << 20) + 77))  # more than one piece, no multiple of a tar's block
    archive = opened(File("a", large), File("b", b"small"), Link("c", "../a"))
    read = archive.extractfile("a")
    assert read is not None
    assert read.read() == large.read_bytes()
    assert archive.getmember("c").linkname == "../a"
    assert archive.getmember("b").size == 5


def test_a_long_path_is_kept() -> None:
    path = "var/" + "x" * 150 + "/" + "y" * 120
    assert path in opened(File(path, b"")).getnames()


@pytest.mark.parametrize("path", ["/etc/passwd", "../etc/passwd", "usr/../../passwd"])
def test_a_path_outside_the_image_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no path below"):
        Layer([File(path, b"")])


def test_two_entries_at_one_path_are_refused() -> None:
    with pytest.raises(ValueError, match="in the layer already"):
        Layer([File("a", b"1"), Link("a", "b")])


def test_a_source_that_becomes_shorter_is_no_layer(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(3 << 20))
    stream = Layer([File("a", source)]).stream()
    next(stream)  # the header, with the size that it has now
    with source.open("r+b") as file:
        file.truncate(10)
    with pytest.raises(OSError, match="shorter"):
        list(stream)


def test_a_layers_key_changes_with_a_source_and_with_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"one")
    os.utime(source, (5, 5))
    key = Layer([File("a", source, 0o755)]).key
    assert key == Layer([File("a", source, 0o755)]).key
    assert key != Layer([File("a", source)]).key
    assert key != Layer([File("b", source, 0o755)]).key
    os.utime(source, (6, 6))
    assert key != Layer([File("a", source, 0o755)]).key


def test_a_link_and_a_file_of_the_same_text_have_different_keys() -> None:
    assert Layer([Link("a", "text")]).key != Layer([File("a", b"text")]).key
    assert Layer([Link("a", "text")]).key != Layer([Link("a", "other")]).key


def test_a_tree_keeps_links_and_whether_a_file_may_be_run(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/run").write_bytes(b"")
    (tmp_path / "bin/run").chmod(0o500)
    (tmp_path / "bin/read").write_bytes(b"")
    (tmp_path / "bin/read").chmod(0o400)
    (tmp_path / "sbin").symlink_to("./bin")
    found = {entry.path: entry for entry in tree(tmp_path, "opt")}
    assert found == {
        "opt/bin": Folder("opt/bin"),
        "opt/bin/run": File("opt/bin/run", tmp_path / "bin/run", 0o755),
        "opt/bin/read": File("opt/bin/read", tmp_path / "bin/read", 0o644),
        "opt/sbin": Link("opt/sbin", "./bin"),
    }

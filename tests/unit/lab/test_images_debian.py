"""Debian's programs come with what they need, and with nothing that is not asked for."""

from pathlib import Path

import pytest

from lab.images import debian
from lab.processes import LabError

LISTED = """\
\tlinux-vdso.so.1 (0x00007ffd2b5f2000)
\tlibclang-cpp.so.19.1 => /usr/lib/llvm-19/bin/../lib/libclang-cpp.so.19.1 (0x00007f8cb5200000)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f8cad01e000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f8cb965a000)
"""


def test_libraries_are_read_from_what_the_loader_says() -> None:
    assert debian.libraries(LISTED) == {
        "/usr/lib/llvm-19/lib/libclang-cpp.so.19.1",
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib64/ld-linux-x86-64.so.2",
    }


def test_a_library_that_is_not_there_is_named() -> None:
    with pytest.raises(LabError, match=r"lack the libraries libz3\.so\.4"):
        debian.libraries(LISTED + "\tlibz3.so.4 => not found\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """As packages of Debian 12 are unpacked: some have files in /usr, some beside it."""
    for path in ("bin/ip", "usr/bin/clang-19", "lib/x86/libc.so.6", "usr/lib/x86/libz.so.1.2", "lib64/.keep"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin/ip").symlink_to("/bin/ip")
    (tmp_path / "lib64/ld.so").symlink_to("/lib/x86/libc.so.6")
    (tmp_path / "usr/lib/x86/libz.so.1").symlink_to("libz.so.1.2")
    debian.merge_usr(tmp_path)
    return tmp_path


def test_usr_is_merged(root: Path) -> None:
    assert {name: (root / name).readlink() for name in ("bin", "sbin", "lib", "lib64")} == {
        name: Path("usr", name) for name in ("bin", "sbin", "lib", "lib64")
    }
    assert (root / "usr/bin/ip").read_text() == "bin/ip"
    assert (root / "usr/lib/x86/libc.so.6").read_text() == "lib/x86/libc.so.6"
    assert (root / "usr/lib/x86/libz.so.1").read_text() == "usr/lib/x86/libz.so.1.2"


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        ("usr/bin/clang-19", ["usr/bin/clang-19"]),
        ("/sbin/ip", ["usr/sbin/ip", "usr/bin/ip"]),
        ("/lib64/ld.so", ["usr/lib64/ld.so", "usr/lib/x86/libc.so.6"]),
        ("usr/lib/x86/libz.so.1", ["usr/lib/x86/libz.so.1", "usr/lib/x86/libz.so.1.2"]),
    ],
)
def test_what_a_link_leads_to_comes_along(root: Path, path: str, taken: list[str]) -> None:
    assert list(debian.chain(root, path)) == taken


def test_what_the_packages_do_not_have_is_named(root: Path) -> None:
    (root / "usr/bin/gone").symlink_to("nowhere")
    with pytest.raises(LabError, match="have no /usr/bin/nowhere"):
        list(debian.chain(root, "/bin/gone"))


def test_links_in_a_circle_are_no_program(root: Path) -> None:
    (root / "usr/bin/a").symlink_to("b")
    (root / "usr/bin/b").symlink_to("a")
    with pytest.raises(LabError, match="circle"):
        list(debian.chain(root, "usr/bin/a"))


def test_a_link_out_of_the_packages_is_refused(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (root / "usr/out").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(LabError, match="leads out of the packages"):
        list(debian.chain(root, "usr/out/program"))


def test_every_name_of_a_link_that_is_added_has_a_program_in_its_tree() -> None:
    for name, links in debian._LINKS.items():
        for path, target in links.items():
            led = (Path(path).parent / target).as_posix().replace("usr/bin/../lib", "usr/lib")
            assert led in debian.TREES[name], f"{path} leads to {led}"

"""Build Debian packages with dpkg-deb, and their entries in an apt repository."""

import gzip
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.images.documents import architecture
from lab.images.layers import Entry, File, Folder, Layer, Link
from lab.processes import LabError

# Fast to build and to unpack: the packages go over a local network. dpkg of Debian 12 and Ubuntu 22.04 read it.
_COMPRESSION = ("-Zgzip", "-z1")
_EPOCH = "0"  # every file's time: the same input gives the same package


@dataclass(frozen=True)
class Package:
    """What a package has and says of itself."""

    name: str
    version: str
    """Upstream's version and the package's revision, as in `1.36.3-1.1`."""
    summary: str
    entries: tuple[Entry, ...]
    depends: tuple[str, ...] = ()
    recommends: tuple[str, ...] = ()
    scripts: Mapping[str, str] = field(default_factory=dict)
    """Maintainer scripts: `postinst` and the like → text."""

    @property
    def file_name(self) -> str:
        """As dpkg-deb and apt name packages."""
        return f"{self.name}_{self.version}_{architecture()}.deb"

    @property
    def key(self) -> str:
        """Names the package without reading its files."""
        said = f"{self.control()}\n{sorted(self.scripts.items())}\n{Layer(self.entries).key}"
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def conffiles(self) -> list[str]:
        """Files that are the administrator's after they are installed: all of /etc, by Debian's policy."""
        return [f"/{e.path}" for e in self.entries if isinstance(e, File) and e.path.startswith("etc/")]

    def installed_kibibytes(self) -> int:
        """What it takes on a node's disk: files by their size, all else by one each, as dpkg counts."""
        files = [entry for entry in Layer(self.entries).entries if isinstance(entry, File)]
        sizes = [len(f.content) if isinstance(f.content, bytes) else f.content.stat().st_size for f in files]
        return sum(-(-size // 1024) for size in sizes) + len(Layer(self.entries).entries) - len(files)

    def control(self) -> str:
        """The control fields, as both the package and the repository's index have them."""
        fields = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": architecture(),
            "Maintainer": "vds-platform lab <lab@example.no>",
            "Section": "net",
            "Priority": "optional",
            "Installed-Size": str(self.installed_kibibytes()),
            "Depends": ", ".join(self.depends),
            "Recommends": ", ".join(self.recommends),
            "Description": self.summary,
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)

    def write(self, folder: Path) -> Path:
        """Build it into a folder.

        Raises:
            LabError: dpkg-deb failed.
        """
        target = folder / self.file_name
        with tempfile.TemporaryDirectory(prefix="deb-", dir=folder) as draft:
            root = Path(draft)
            root.chmod(0o755)  # it becomes the package's own entry for /
            lay_out(root, self.entries)
            control = root / "DEBIAN"
            control.mkdir(mode=0o755)
            (control / "control").write_text(self.control())
            if self.conffiles:
                (control / "conffiles").write_text("".join(f"{path}\n" for path in self.conffiles))
            for name, text in self.scripts.items():
                (control / name).write_text(text)
                (control / name).chmod(0o755)
            command = ["dpkg-deb", "--root-owner-group", *_COMPRESSION, "--build", draft, str(target)]
            run(command, env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH})
        return target


def lay_out(root: Path, entries: Iterable[Entry]) -> None:
    """Put entries under a folder as files."""
    for entry in Layer(entries).entries:
        path = root / entry.path
        match entry:
            case Folder():
                path.mkdir()
                path.chmod(entry.mode)
            case Link():
                path.symlink_to(entry.target)
            case File(content=bytes() as content):
                path.write_bytes(content)
                path.chmod(entry.mode)
            case File(content=Path() as source):
                path.write_bytes(source.read_bytes())
                path.chmod(entry.mode)


def stanza(control: str, file_name: str, content: bytes) -> str:
    """What an index says of a package: its control fields, where it is, and what it must be."""
    digest = hashlib.sha256(content).hexdigest()
    return f"{control}Filename: ./{file_name}\nSize: {len(content)}\nSHA256: {digest}\n"


def release(files: Mapping[str, bytes], date: str) -> str:
    """What is signed: the digests of the indexes. `date` is RFC 5322's, in UTC."""
    lines = [f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}" for name, content in sorted(files.items())]
    head = f"Origin: vds-platform\nLabel: lab\nArchitectures: {architecture()}\nDate: {date}\nSHA256:\n"
    return head + "\n".join(lines) + "\n"


def indexes(stanzas: Iterable[str]) -> dict[str, bytes]:
    """`Packages`, plain and compressed: apt takes the one it likes."""
    text = "\n".join(stanzas).encode()
    return {"Packages": text, "Packages.gz": gzip.compress(text, mtime=0)}


def run(command: list[str], *, env: Mapping[str, str] | None = None, data: bytes | None = None) -> bytes:
    """Run a command to its end and give what it says.

    Raises:
        LabError: it is missing or failed.
    """
    try:
        done = subprocess.run(command, input=data, capture_output=True, env=env, check=True)
    except FileNotFoundError:
        package = {"dpkg-deb": "dpkg", "gpg": "gnupg", "gpgconf": "gnupg"}[command[0]]
        raise LabError(f"{command[0]} is missing, which makes the lab's packages: apt-get install {package}") from None
    except subprocess.CalledProcessError as error:
        raise LabError(f"{' '.join(command[:2])} failed: {error.stderr.decode(errors='replace').strip()}") from None
    return done.stdout

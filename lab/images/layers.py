"""Image layers as tar streams. The same entries always give the same bytes."""

import hashlib
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar"  # not compressed: fastest to unpack in a local network
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class File:
    """A file whose content is another file's, or given."""

    path: str
    """Where it is in the image, without a leading slash."""
    content: Path | bytes
    mode: int = 0o644

    def identity(self) -> str:
        """What is the same for the same content, known without reading it."""
        if isinstance(self.content, bytes):
            return f"bytes {hashlib.sha256(self.content).hexdigest()}"
        seen = self.content.stat()
        return f"file {self.content} {seen.st_size} {seen.st_mtime_ns}"


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    path: str
    target: str


@dataclass(frozen=True)
class Folder:
    """A folder; parents of other entries need not be named."""

    path: str
    mode: int = 0o755


Entry = File | Link | Folder


class Layer:
    """Entries, sorted, with all their parent folders."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        named: dict[str, Entry] = {}
        for entry in entries:
            if entry.path in named or entry.path.startswith("/") or ".." in PurePosixPath(entry.path).parts:
                raise ValueError(f"{entry.path!r} is in the layer already, or is no path below an image's root")
            named[entry.path] = entry
        for path in list(named):
            for parent in PurePosixPath(path).parents:
                if str(parent) != ".":
                    named.setdefault(str(parent), Folder(str(parent)))
        self.entries = tuple(named[path] for path in sorted(named))

    @property
    def key(self) -> str:
        """Names the layer without reading its files: content that is written again has another modification time."""
        digest = hashlib.sha256()
        for entry in self.entries:
            identity = entry.identity() if isinstance(entry, File) else getattr(entry, "target", "folder")
            digest.update(f"{entry.path}\0{getattr(entry, 'mode', 0):o}\0{identity}\n".encode())
        return digest.hexdigest()

    def stream(self) -> Iterator[bytes]:
        """The tar, in pieces."""
        for entry in self.entries:
            yield from _member(entry)
        yield bytes(2 * tarfile.BLOCKSIZE)  # the end of an archive


def _member(entry: Entry) -> Iterator[bytes]:
    info = tarfile.TarInfo(entry.path)  # owner, group and time are root, root and 0 unless set
    match entry:
        case Link():
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.target, 0o777
            yield _header(info)
        case Folder():
            info.type, info.mode = tarfile.DIRTYPE, entry.mode
            yield _header(info)
        case File(content=bytes() as content):
            info.size, info.mode = len(content), entry.mode
            yield _header(info) + content
            yield bytes(-len(content) % tarfile.BLOCKSIZE)
        case File(content=Path() as source):
            with source.open("rb") as file:
                info.size, info.mode = os.fstat(file.fileno()).st_size, entry.mode
                yield _header(info)
                left = info.size
                while left:
                    chunk = file.read(min(_CHUNK_BYTES, left))
                    if not chunk:
                        raise OSError(f"{source} became shorter while it was read")
                    left -= len(chunk)
                    yield chunk
            yield bytes(-info.size % tarfile.BLOCKSIZE)


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")  # plain ustar if names and sizes fit


def tree(folder: Path, at: str = "") -> Iterator[Entry]:
    """Everything below a folder; whether it may be run is kept of a file's mode, its owner is not."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            source = Path(parent, name)
            path = (PurePosixPath(at) / source.relative_to(folder)).as_posix()
            mode = source.lstat().st_mode
            if stat.S_ISLNK(mode):
                yield Link(path, os.readlink(source))  # noqa: PTH115  # Path.readlink would normalise the target
            elif stat.S_ISDIR(mode):
                yield Folder(path)
            elif stat.S_ISREG(mode):
                yield File(path, source, 0o755 if mode & 0o111 else 0o644)

"""A small disk of its own for the store: a tmpfs that can be full."""

import ctypes
import os
from pathlib import Path

CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


class CannotMount(OSError):
    """Mounting is the system administrator's."""


def _check(code: int) -> None:
    if code != 0:
        number = ctypes.get_errno()
        raise CannotMount(number, os.strerror(number))


class Disk:
    """Mounted for this process and its children alone: whatever ends them takes the mount with it.

    To be made while the process has one thread: others would not see it.
    """

    def __init__(self, folder: Path, mebibytes: int) -> None:
        _check(_libc.unshare(CLONE_NEWNS))
        _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
        folder.mkdir()
        options = f"size={mebibytes}m,mode=755".encode()
        _check(_libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, options))
        self.folder = folder
        self._filler = folder / "filler"

    @property
    def used_mebibytes(self) -> float:
        """Without the filler."""
        figures = os.statvfs(self.folder)
        filler = self._filler.stat().st_size if self._filler.exists() else 0
        return ((figures.f_blocks - figures.f_bfree) * figures.f_frsize - filler) / 2**20

    def fill(self, leaving_mebibytes: int = 0) -> None:
        """Fills it until so much is left, to the last byte where that is nothing."""
        with self._filler.open("ab") as file:
            while (room := self._free_bytes() - leaving_mebibytes * 2**20) > 0:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, room)
                except OSError:  # somebody else took some of it meanwhile: less is asked for
                    if leaving_mebibytes:
                        return
                    self._write_to_the_end(file.fileno())
                    return

    def make_room(self) -> None:
        self._filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        _libc.umount2(str(self.folder).encode(), MNT_DETACH)

    def _free_bytes(self) -> int:
        figures = os.statvfs(self.folder)
        return figures.f_bavail * figures.f_frsize

    @staticmethod
    def _write_to_the_end(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_END)
        try:
            while os.write(descriptor, b"x" * 4096) > 0:
                pass
        except OSError:
            pass  # the disk is full

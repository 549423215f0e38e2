"""A file system whose power can be cut: ext4 in a file behind a loop device."""

import pathlib
import shutil
import subprocess

IMAGE_MIB = 256


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise OSError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.returncode}")


class LoopImage:
    """ext4 mounted at `point`, and the cut: only what ext4 has handed to its device goes on to the next mount.

    The page cache of the mounted file system is what a power cut loses. What ext4 has submitted is in the backing
    file, as a reader of that file sees it. The journal of ext4 commits every five minutes only, so that nothing gets
    to the device by chance: what is there was asked for by a sync.
    """

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.point = self.directory / "mounted"
        self.point.mkdir()
        self.number = 0
        self.image.write_bytes(b"")
        run("truncate", "-s", f"{IMAGE_MIB}M", self.image)
        run("mkfs.ext4", "-q", "-F", self.image)
        self.mount()

    @property
    def image(self):
        return self.directory / f"disk-{self.number}.img"

    def mount(self):
        run("mount", "-o", "loop,commit=300", self.image, self.point)

    def cut(self):
        """Takes what the device holds at this moment, throws the rest away, and mounts what was taken.

        The process that wrote has to be dead. The copy comes before the unmounting, which writes everything out.
        """
        old = self.image
        self.number += 1
        run("cp", "--sparse=always", old, self.image)
        run("umount", "-l", self.point)
        old.unlink()
        self.mount()

    def close(self):
        """Unmounts and removes everything; may be called whatever happened before."""
        subprocess.run(["umount", "-l", str(self.point)], capture_output=True, timeout=60)
        shutil.rmtree(self.directory, ignore_errors=True)

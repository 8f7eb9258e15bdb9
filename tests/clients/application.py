"""A program to build images of: FROM scratch, a static binary, and layers of random bytes."""

import json
import os
import subprocess
import zlib
from pathlib import Path


class Application:
    """A build context. `sizes` are those of its layers in bytes; they do not compress."""

    def __init__(self, folder, sizes):
        self.folder = Path(folder)
        self.folder.mkdir()
        subprocess.run(
            ["cc", "-O2", "-static", "-o", self.folder / "hello", Path(__file__).with_name("hello.c"), "-lz"], check=True)
        names = [f"layer-{number}" for number in range(len(sizes))]
        for name, size in zip(names, sizes):
            self._write(name, size)
        (self.folder / "Dockerfile").write_text("\n".join([
            "FROM scratch", "COPY hello /hello", *(f"COPY {name} /{name}" for name in names),
            "COPY version /version", "CMD " + json.dumps(["/hello", *(f"/{name}" for name in names)]), ""]))
        self._names = names

    def _write(self, name, size):
        with open(self.folder / name, "wb") as file:
            for at in range(0, size, 1 << 20):
                file.write(os.urandom(min(1 << 20, size - at)))

    def build(self, engine, version, reference):
        """Builds this version; returns what the program in the image is to print."""
        (self.folder / "version").write_text(version)
        engine.docker("build", "--tag", reference, self.folder)
        return f"version {version}\n" + "".join(f"/{name} {self._crc(name):08x}\n" for name in self._names)

    def _crc(self, name):
        crc = 0
        with open(self.folder / name, "rb") as file:
            while piece := file.read(1 << 20):
                crc = zlib.crc32(piece, crc)
        return crc

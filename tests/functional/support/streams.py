"""Large bodies without large memory: reproducible bytes, made as they are read."""

import hashlib
import io

_BLOCK = 1 << 20


class Pattern(io.RawIOBase):
    """A readable stream of `size` bytes that look random and depend on `seed`; no two blocks are alike.

    Give it to requests as a body: with `len()` it is sent with Content-Length, as `chunks()` with chunked encoding.
    """

    def __init__(self, size, seed=0):
        super().__init__()
        self.size, self.seed = size, seed
        self._noise = hashlib.shake_256(b"drydock %d" % seed).digest(_BLOCK)
        self._position = 0
        self._block = memoryview(b"")

    def __len__(self):
        return self.size

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self._block:
            left = min(_BLOCK, self.size - self._position)
            stamp = b"%016x" % self._position
            self._block = memoryview(stamp + self._noise[len(stamp):])[:left]
        count = min(len(buffer), len(self._block))
        buffer[:count] = self._block[:count]
        self._block = self._block[count:]
        self._position += count
        return count

    def chunks(self, size=_BLOCK):
        """The same bytes as a generator of pieces."""
        while piece := self.read(size):
            yield piece


def digest_of_stream(stream):
    """The digest of everything that is left in a stream."""
    sha256 = hashlib.sha256()
    while piece := stream.read(_BLOCK):
        sha256.update(piece)
    return "sha256:" + sha256.hexdigest()


def pattern_digest(size, seed=0):
    return digest_of_stream(Pattern(size, seed))

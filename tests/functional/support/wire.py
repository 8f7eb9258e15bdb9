"""HTTP/1.1 byte by byte, for what a well-behaved client library would never send."""

import socket

from .waiting import wait_until


class Response:
    """One answer: status (int), reason, headers (list of (lower-case name, value)), body (bytes)."""

    def __init__(self, status, reason, headers):
        self.status, self.reason, self.headers, self.body = status, reason, headers, b""

    def header(self, name):
        """The value of a header, None when there is none; fails when it is there more than once."""
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) <= 1, f"{name} is there {len(values)} times: {values}"
        return values[0] if values else None

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.headers} {self.body[:200]!r}>"


class Wire:
    """One connection. send() raw bytes or request(), then read_response() once per answer. With an ssl.SSLContext it is
    one over TLS, for `name` or the host."""

    def __init__(self, host, port, timeout=30, context=None, name=None):
        self.host = f"{host}:{port}"
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname=name or host)
        self._buffer = b""

    def send(self, data):
        self.socket.sendall(data)

    def request(self, method, target, headers=(), body=b""):
        """Sends one request with Host and (when there is a body) Content-Length besides the given headers."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}", *(f"{name}: {value}" for name, value in headers)]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def send_chunk(self, data):
        """One chunk of a body with Transfer-Encoding: chunked; empty data ends the body."""
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def read_response(self, head=False, interim=False):
        """The next answer with its whole body. head=True after a HEAD request. 1xx answers are skipped, unless
        interim=True asks for whatever comes next."""
        while True:
            response = self._read_head()
            if response.status >= 200:
                break
            if interim:
                return response
        if head or response.status in (204, 304):
            return response
        if (response.header("transfer-encoding") or "").lower() == "chunked":
            response.body = self._read_chunks()
        elif response.header("content-length") is not None:
            response.body = self._read_exactly(int(response.header("content-length")))
        else:
            response.body = self._read_to_end()
        return response

    def at_end(self):
        """True once the server has closed its side and everything it sent has been read."""
        if self._buffer:
            return False
        try:
            self._buffer = self.socket.recv(65536)
        except ConnectionResetError:
            return True
        return not self._buffer

    def wait_until_read(self):
        """Waits until the server has taken from its side's queue all that was sent."""
        wait_until(lambda: self._queued() == 0)

    def _queued(self):
        """Bytes that are under way, or in the queue of the server's side; /proc/net/tcp has both ends of it."""
        ports = [f"{port:04X}" for port in (self.socket.getsockname()[1], self.socket.getpeername()[1])]
        queued = 0
        with open("/proc/net/tcp") as table:
            for fields in map(str.split, list(table)[1:]):
                ends = [end.split(":")[1] for end in fields[1:3]]
                sending, received = (int(size, 16) for size in fields[4].split(":"))
                if ends == ports:
                    queued += sending
                elif ends == ports[::-1]:
                    queued += received
        return queued

    def finish_sending(self):
        """Closes this side for sending; answers can still be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(f"the server closed the connection after {self._buffer[:200]!r}")
        self._buffer += data

    def _read_until(self, end):
        while end not in self._buffer:
            self._more()
        found, self._buffer = self._buffer.split(end, 1)
        return found

    def _read_exactly(self, count):
        parts = [self._buffer[:count]]
        self._buffer = self._buffer[count:]
        count -= len(parts[0])
        while count:
            data = self.socket.recv(min(count, 1 << 20))
            if not data:
                raise EOFError(f"the server closed the connection {count} bytes before the end of the body")
            parts.append(data)
            count -= len(data)
        return b"".join(parts)

    def _read_to_end(self):
        parts, self._buffer = [self._buffer], b""
        while data := self.socket.recv(1 << 20):
            parts.append(data)
        return b"".join(parts)

    def _read_chunks(self):
        body = b""
        while size := int(self._read_until(b"\r\n").split(b";")[0], 16):
            body += self._read_exactly(size)
            assert self._read_exactly(2) == b"\r\n", "a chunk does not end in CRLF"
        while self._read_until(b"\r\n"):
            pass
        return body

    def _read_head(self):
        lines = self._read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, reason = (lines[0].split(" ", 2) + [""])[:3]
        assert version == "HTTP/1.1" and len(status) == 3 and status.isdigit(), f"not a status line: {lines[0]!r}"
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        return Response(int(status), reason, [(name.lower(), value) for name, value in headers])

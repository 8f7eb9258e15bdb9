"""Requests whose body a test sends piece by piece, and may leave unfinished."""

import base64


def basic(login):
    """The Authorization header of a (user, password) pair."""
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()


class Transfer:
    """One request on a connection of its own. It has begun: the server has read its head, asked who sends it, and said
    100 Continue (or, when refused, its answer is `refusal`).

    length=None sends the body in chunks. Then send() as often as wanted, and finish() or vanish().
    """

    def __init__(self, server, login, method, path, length=None, headers=()):
        self.wire, self.length, self.refusal = server.connect(), length, None
        framing = ("Content-Length", str(length)) if length is not None else ("Transfer-Encoding", "chunked")
        headers = [framing, ("Expect", "100-continue"), *headers]
        if login:
            headers.append(("Authorization", basic(login)))
        self.wire.request(method, path, headers)
        answer = self.wire.read_response(interim=True)
        if answer.status != 100:
            self.refusal = answer

    def send(self, data):
        self.wire.send(data) if self.length is not None else self.wire.send_chunk(data)

    def finish(self):
        """The answer, once all of the body is sent."""
        if self.length is None:
            self.wire.send_chunk(b"")
        answer = self.wire.read_response()
        self.wire.close()
        return answer

    def vanish(self):
        """The client is gone in the middle."""
        self.wire.close()

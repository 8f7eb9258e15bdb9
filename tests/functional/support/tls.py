"""A Drydock that is reached over TLS alone, and clients that trust its authority."""

import re
import ssl

from .server import Server
from .wire import Wire

READY = re.compile(r"^drydock ready on (https://127\.0\.0\.1:(\d+))$")


def trusting(ca, **settings):
    """What a client is that trusts the authority whose certificate is in the file `ca`, as strictly as OpenSSL can; the
    settings are attributes of ssl.SSLContext."""
    context = ssl.create_default_context(cafile=str(ca))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    for name, value in settings.items():
        setattr(context, name, value)
    return context


class OverTls:
    """Mixed into Server: everything that talks to it does so over TLS, with its certificate verified."""

    ready = READY

    def __init__(self, *options, folder, **settings):
        self._ca_folder = folder / "ca"
        self.trust = str(self._ca_folder / "ca.pem")
        super().__init__(*options, folder=folder, **settings)

    def listening(self):
        return ["--listen", "none", "--tls-listen", f"127.0.0.1:{self.port}", "--tls-ca", str(self._ca_folder)]

    def connect(self, timeout=30, name=None, **settings):
        """Wire over TLS; `name` is whom the client asks for, the settings are trusting()'s."""
        return Wire("127.0.0.1", self.port, timeout, trusting(self.trust, **settings), name)

    def connect_plain(self, timeout=30):
        """To the same port, without TLS."""
        return Wire("127.0.0.1", self.port, timeout)


class TlsServer(OverTls, Server):
    pass

"""TLS: versions, names, certificates, the authority, and that a connection behaves as one over plain HTTP."""

import fcntl
import gc
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import termios
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
import requests
from support.binary import clean_environment, find_binary
from support.images import digest_of, oci_image
from support.server import Server
from support.streams import Pattern
from support.tls import TlsServer, trusting
from support.transfer import Transfer, basic
from support.waiting import wait_until
from support.wire import Wire

REGISTRY = "503561414328.dkr.ecr.us-east-1.amazonaws.com"
MIB = 1 << 20


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    server = TlsServer("--tls-name", "registry.test,192.0.2.7", folder=tmp_path_factory.mktemp("tls"))
    server.start()
    yield server
    server.stop()


def run(*words, **environment):
    return subprocess.run(
        [find_binary(), *words], env=clean_environment(**environment), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60)


def openssl(*words, **settings):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, timeout=60, **settings)
    return done.returncode, done.stdout + done.stderr


def healthy(wire):
    wire.request("GET", "/_drydock/health")
    return wire.read_response().status == 200


def names_in(wire):
    return {value for _, value in wire.socket.getpeercert()["subjectAltName"]}


# -- the protocol -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(drydock, version):
    context = trusting(drydock.trust, minimum_version=version, maximum_version=version)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with Wire("127.0.0.1", drydock.port, context=context) as wire:
        assert healthy(wire)
        name = wire.socket.cipher()[0]
        assert "GCM" in name and (name.startswith("ECDHE-") or version == ssl.TLSVersion.TLSv1_3)
        assert wire.socket.selected_alpn_protocol() == "http/1.1"


REFUSED = {
    "TLS 1.1": (["-tls1_1", "-cipher", "ALL@SECLEVEL=0"], "protocol version"),
    "a cipher of another age": (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"], "handshake failure"),
    "no forward secrecy": (["-tls1_2", "-cipher", "AES128-GCM-SHA256"], "handshake failure"),
    "HTTP/2 alone": (["-alpn", "h2"], "no application protocol"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(drydock, case):
    words, alert = REFUSED[case]
    code, said = openssl("s_client", "-connect", f"127.0.0.1:{drydock.port}", *words, stdin=subprocess.DEVNULL)
    assert code != 0 and f"alert {alert}" in said, said
    drydock.wait_for_log("no TLS with 127.0.0.1:")


def test_no_renegotiation(drydock):
    code, said = openssl("s_client", "-connect", f"127.0.0.1:{drydock.port}", "-tls1_2", input="R\n")
    assert "RENEGOTIATING" in said and "no renegotiation" in said, said
    assert code != 0


def test_sessions_are_resumed(drydock):
    context = trusting(drydock.trust, maximum_version=ssl.TLSVersion.TLSv1_2)
    with Wire("127.0.0.1", drydock.port, context=context) as wire:
        assert healthy(wire) and not wire.socket.session_reused
        session = wire.socket.session
    again = context.wrap_socket(
        socket.create_connection(("127.0.0.1", drydock.port)), server_hostname="127.0.0.1", session=session)
    assert again.session_reused
    again.close()


def test_keys_are_updated(drydock):
    """TLS 1.3's KeyUpdate, also one that wants an answer, between two requests on one connection."""
    request, ok = b"GET /_drydock/health HTTP/1.1\nHost: here\n\n", b'{"status":"ok"'
    process = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{drydock.port}", "-crlf", "-tls1_3"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
    said = b""
    for words, answer in [(request, ok), (b"K\n", b"KEYUPDATE"), (request, ok), (b"k\n", b"KEYUPDATE"), (request, ok)]:
        process.stdin.write(words)  # a command is one only at the beginning of what s_client reads at once
        seen = said.count(answer)
        while said.count(answer) == seen:
            piece = os.read(process.stdout.fileno(), 65536)
            assert piece, said
            said += piece
    process.communicate(timeout=30)
    assert said.count(b"KEYUPDATE") == 2 and said.count(ok) == 3, said


# -- names and certificates -------------------------------------------------------------------------------------------

SERVED = [
    REGISTRY, "000000000000.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "503561414328.dkr-ecr.eu-west-1.on.aws",
    "503561414328.dkr.ecr.cn-north-1.amazonaws.com.cn", "api.ecr.us-east-1.amazonaws.com", "ecr.eu-west-1.api.aws",
    "sts.amazonaws.com", "sts.eu-central-1.amazonaws.com", "503561414328.dkr.ecr.us-east-1.localhost", "localhost",
    "registry.test"]


@pytest.mark.parametrize("name", SERVED)
def test_names_that_are_served(drydock, name):
    with drydock.connect(name=name) as wire:
        assert healthy(wire) and names_in(wire) == {name}


def test_a_name_in_capitals(drydock):
    with drydock.connect(name=REGISTRY.upper()) as wire:
        assert names_in(wire) == {REGISTRY}


@pytest.mark.parametrize("name", [
    "example.com", "amazonaws.com", "s3.us-east-1.amazonaws.com", "ecr.us-east-1.amazonaws.com.example.com",
    "5035.dkr.ecr.us-east-1.amazonaws.com", "other.registry.test", "x.localhost", "*.amazonaws.com"])
def test_names_that_are_not(drydock, name):
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        drydock.connect(name=name, check_hostname=False)
    drydock.wait_for_log(f"the authority gives no certificate for {name}: name it with --tls-name")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.0.2.7"])
def test_a_client_that_asks_for_an_address(drydock, address):
    """It names nobody; the certificate is good for every address that may be meant."""
    with drydock.connect(name=address) as wire:
        assert healthy(wire) and "localhost" in names_in(wire)


def test_a_client_that_knows_no_names(drydock):
    context = trusting(drydock.trust, check_hostname=False)
    plain = socket.create_connection(("127.0.0.1", drydock.port))
    with context.wrap_socket(plain) as secure:
        assert ("DNS", "localhost") in secure.getpeercert()["subjectAltName"]


def test_certificates_are_short_lived_and_follow_the_real_clock(drydock):
    drydock.set_clock("2055-01-01T00:00:00Z")
    with drydock.connect(name="api.ecr.us-west-2.amazonaws.com") as wire:
        certificate = wire.socket.getpeercert()
    begin, end = (
        datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate[key]), timezone.utc)
        for key in ("notBefore", "notAfter"))
    now = datetime.now(timezone.utc)
    assert begin <= now - timedelta(hours=23) and now + timedelta(days=60) < end
    assert end - begin <= timedelta(days=397)


def test_more_names_than_are_kept(drydock):
    """Each of 300 names gets its own, the first one again at the end."""
    for number in [*range(300), 0]:
        name = f"{number:012}.dkr.ecr.us-east-1.amazonaws.com"
        with drydock.connect(name=name) as wire:
            assert names_in(wire) == {name}


# -- the authority ----------------------------------------------------------------------------------------------------

def test_the_authority_signs_for_its_own_names_only(drydock, tmp_path):
    """Who has its key cannot pretend to be anyone else to those who trust it, the rest of AWS among them."""
    folder = os.path.dirname(drydock.trust)
    others = (
        "bank.example", "amazonaws.com", "s3.amazonaws.com", "s3.us-east-1.amazonaws.com", "us-east-1.amazonaws.com",
        "bucket.s3.eu-west-1.amazonaws.com", "lambda.us-east-1.amazonaws.com", "x.lambda-url.us-east-1.on.aws",
        "us-east-1.signin.aws.amazonaws.com", "s3.us-east-1.api.aws", "notecr.us-east-1.amazonaws.com")
    wanted = [(name, "OK") for name in SERVED]
    for name, verdict in wanted + [(name, "permitted subtree violation") for name in others]:
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                tmp_path / "key.pem", "-out", tmp_path / "request.pem", "-subj", "/CN=x",
                "-addext", f"subjectAltName=DNS:{name}")
        openssl("x509", "-req", "-in", tmp_path / "request.pem", "-CA", drydock.trust, "-CAkey", f"{folder}/key.pem",
                "-copy_extensions", "copy", "-out", tmp_path / "signed.pem")
        said = openssl("verify", "-CAfile", drydock.trust, tmp_path / "signed.pem")[1]
        assert verdict in said, said


def test_a_region_that_is_not_known(drydock, make_server):
    """No client would believe the certificate: so there is none, and the log says what to do."""
    name = "503561414328.dkr.ecr.mars-north-1.amazonaws.com"
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        drydock.connect(name=name, check_hostname=False)
    drydock.wait_for_log(f"the authority gives no certificate for {name}: name it with --tls-name")
    server = make_server("--tls-name", "ecr.mars-north-1.amazonaws.com", kind=TlsServer)
    with server.connect(name=name) as wire:
        assert healthy(wire) and names_in(wire) == {name}


def test_an_authority_of_an_earlier_version(make_server, tmp_path):
    """It may sign for all of amazonaws.com, is used as it is, and keeps its clients' trust."""
    folder = tmp_path / "ca"
    folder.mkdir()
    domains = ",".join(f"permitted;DNS:{name}" for name in ("amazonaws.com", "api.aws", "on.aws", "localhost"))
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3000", "-keyout",
            folder / "key.pem", "-out", folder / "ca.pem", "-subj", "/O=Drydock/CN=Drydock local authority 0",
            "-addext", f"nameConstraints=critical,{domains}", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    before = (folder / "ca.pem").read_text()
    server = make_server("--tls-ca", str(folder), start=False, kind=TlsServer, data=tmp_path / "data")
    server.trust = str(folder / "ca.pem")
    server.start()
    for name in (REGISTRY, "503561414328.dkr.ecr.mars-north-1.amazonaws.com", "sts.amazonaws.com"):
        with server.connect(name=name) as wire:
            assert healthy(wire) and names_in(wire) == {name}
    assert (folder / "ca.pem").read_text() == before


def test_its_files(drydock):
    folder = os.path.dirname(drydock.trust)
    assert sorted(os.listdir(folder)) == ["ca.pem", "key.pem"]
    assert os.stat(f"{folder}/key.pem").st_mode & 0o777 == 0o600
    assert openssl("x509", "-in", drydock.trust, "-noout", "-checkend", 9 * 365 * 86400)[0] == 0


def test_it_is_made_once(make_server, tmp_path):
    server = make_server(kind=TlsServer, data=tmp_path / "data")
    before = open(server.trust).read()
    server.restart()
    assert healthy(server.connect()) and open(server.trust).read() == before


def test_two_that_come_at_once_make_one(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: run("ca", "--pem", "--data", str(tmp_path / "data")), range(16)))
    assert {done.returncode for done in made} == {0} and len({done.stdout for done in made}) == 1


def test_ca(tmp_path):
    """drydock ca: with --pem the certificate and nothing else; without, also where clients keep it."""
    pem = run("ca", "--pem", "--data", str(tmp_path / "data"))
    assert (pem.returncode, pem.stderr) == (0, "")
    assert pem.stdout == (tmp_path / "data/ca/ca.pem").read_text()
    assert re.fullmatch(r"-----BEGIN CERTIFICATE-----\n[\w+/=\n]+-----END CERTIFICATE-----\n", pem.stdout)
    told = run("ca", f"--data={tmp_path / 'data'}").stdout
    assert told.startswith(pem.stdout)
    for place in (
            "/etc/docker/certs.d/", "/etc/containers/certs.d/", "/etc/containerd/certs.d/", "AWS_CA_BUNDLE=",
            "SSL_CERT_FILE=", "NODE_EXTRA_CA_CERTS=", "keytool ", "update-ca-certificates", str(tmp_path / "data/ca/ca.pem")):
        assert place in told
    assert run("ca", "--color").returncode == 2
    by_default = run("ca", "--pem", XDG_DATA_HOME=str(tmp_path))
    assert by_default.stdout == (tmp_path / "drydock/ca/ca.pem").read_text() != pem.stdout


def damage(folder):
    (folder / "key.pem").write_text("nothing")


def another_key(folder):
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / "key.pem"], check=True)


def expire(folder):
    subprocess.run(["openssl", "x509", "-in", folder / "ca.pem", "-signkey", folder / "key.pem", "-days", "0", "-out",
                    folder / "old.pem"], check=True, capture_output=True)
    (folder / "old.pem").rename(folder / "ca.pem")


@pytest.mark.parametrize("spoil, text", [
    (damage, "cannot be read, or its key is not its certificate's"),
    (another_key, "cannot be read, or its key is not its certificate's"),
    (expire, "has expired"),
    (lambda folder: None, "was made without a name that --tls-name gives")],
    ids=["damaged", "another key", "expired", "another name"])
def test_an_authority_that_is_of_no_use(tmp_path, spoil, text):
    assert run("ca", "--tls-ca", str(tmp_path / "ca")).returncode == 0
    spoil(tmp_path / "ca")
    ended = run("serve", "--ephemeral", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--tls-ca",
                str(tmp_path / "ca"), "--tls-name", "new.test")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"the certificate authority in {tmp_path / 'ca'} {text}" in ended.stderr


def test_hosts():
    done = run("hosts", "503561414328", "us-east-1", "cn-north-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"127.0.0.1 {REGISTRY} api.ecr.us-east-1.amazonaws.com sts.us-east-1.amazonaws.com\n"
        "127.0.0.1 503561414328.dkr.ecr.cn-north-1.amazonaws.com.cn api.ecr.cn-north-1.amazonaws.com.cn"
        " sts.cn-north-1.amazonaws.com.cn\n"
        "127.0.0.1 sts.amazonaws.com\n")
    for words in ([], ["503561414328"], ["5035", "us-east-1"], ["503561414328", "Mars!"]):
        wrong = run("hosts", *words)
        assert (wrong.returncode, wrong.stdout) == (2, "") and wrong.stderr


# -- a certificate of the user's own ----------------------------------------------------------------------------------

def own_certificate(folder, name="own.test"):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", folder / "own.key", "-out",
            folder / "own.pem", "-subj", "/CN=own", "-addext", f"subjectAltName=DNS:{name}")
    return folder / "own.pem", folder / "own.key"


def test_an_own_certificate(make_server, tmp_path):
    certificate, key = own_certificate(tmp_path)
    server = make_server(
        "--tls-cert", str(certificate), "--tls-key", str(key), start=False, kind=TlsServer, data=tmp_path / "data")
    server.trust = str(certificate)
    server.start()
    with Wire("127.0.0.1", server.port, context=ssl.create_default_context(cafile=certificate), name="own.test") as wire:
        assert healthy(wire)
    assert not (tmp_path / "ca").exists()
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        server.connect(name=REGISTRY)
    server.wait_for_log("no TLS with 127.0.0.1:")


def test_own_certificates_that_are_of_no_use(tmp_path):
    certificate, key = own_certificate(tmp_path)
    (tmp_path / "another").mkdir()
    _, another = own_certificate(tmp_path / "another")
    for words, code, text in (
            (["--tls-cert", certificate], 2, "--tls-cert and --tls-key need each other"),
            (["--tls-cert", key, "--tls-key", key], 1, "--tls-cert names no certificate in PEM"),
            (["--tls-cert", certificate, "--tls-key", tmp_path / "none"], 1, "--tls-key names no private key of it"),
            (["--tls-cert", certificate, "--tls-key", another], 1, "--tls-key names no private key of it"),
            (["--tls-cert", certificate, "--tls-key", key, "--tls-name", "x.test"], 2, "--tls-name has no use with"),
            (["--tls-name", "no_name"], 2, "--tls-name expects a host name"),
            (["--listen", "none", "--tls-listen", "none"], 2, "--listen none needs --tls-listen")):
        ended = run("serve", "--ephemeral", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", *map(str, words))
        assert (ended.returncode, ended.stdout) == (code, ""), words
        assert text in ended.stderr


# -- both doors -------------------------------------------------------------------------------------------------------

def test_beside_plain_http(make_server, tmp_path):
    """Two lines of readiness; what is pushed by one is pulled by the other."""
    server = make_server("--tls-listen", "127.0.0.1:0", "--tls-ca", str(tmp_path / "ca"))
    server.wait_for_log("drydock ready on https://")
    assert [line.split("://")[0] for line in server.output] == ["drydock ready on http", "drydock ready on https"]
    url = server.output[1].split()[-1]
    server.ecr().create_repository(repositoryName="app")
    image = oci_image()
    server.registry().push_image("app", image, "v1")
    answer = requests.get(
        f"{url}/v2/app/manifests/v1", auth=server.token(), verify=str(tmp_path / "ca/ca.pem"), timeout=30)
    assert answer.content == image.manifest


def test_a_port_that_is_in_use(drydock):
    ended = run("serve", "--ephemeral", "--listen", "none", "--tls-listen", f"127.0.0.1:{drydock.port}", "--tls-ca",
                os.path.dirname(drydock.trust))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"port {drydock.port} is in use: stop what holds it, or choose another with --tls-listen" in ended.stderr


def test_health_asks_over_tls(drydock):
    done = run("health", "--listen", "none", "--tls-listen", f"127.0.0.1:{drydock.port}")
    assert (done.returncode, done.stdout) == (0, '{"status":"ok","version":"0.1.0"}\n')


# -- addresses given out ----------------------------------------------------------------------------------------------

def test_addresses_are_https(drydock, ecr, registry, repository):
    assert ecr.get_authorization_token()["authorizationData"][0]["proxyEndpoint"] == drydock.url
    image = oci_image(size=200_000)
    registry.push_image(repository, image, "v1")
    link = ecr.get_download_url_for_layer(
        repositoryName=repository, layerDigest=image.layers[0].digest)["downloadUrl"]
    assert link.startswith(f"{drydock.url}/")
    assert requests.get(link, verify=drydock.trust, timeout=30).content == image.layers[0].data


def test_by_ecrs_own_names_they_are_ecrs_own(drydock, repository):
    with drydock.connect(name=REGISTRY) as wire:
        wire.host = REGISTRY
        wire.request("GET", "/v2/")
        assert wire.read_response().header("www-authenticate") == (
            f'Basic realm="https://{REGISTRY}/",service="ecr.amazonaws.com"')


# -- connections ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_layer_goes_in_and_comes_out(drydock, registry, repository, framing):
    """Of 20 MiB, to a file and from one; whole, and in ranges."""
    size = 20 * MIB + 5
    data = Pattern(size, seed=1).readall()
    location = registry.start_upload(repository).headers["Location"]
    patch = Transfer(drydock, drydock.token(), "PATCH", location, size if framing == "length" else None)
    for at in range(0, size, 777_777):
        patch.send(data[at:at + 777_777])
    assert patch.finish().status == 202
    digest = digest_of(data)
    assert registry.finish_upload(location, digest).status_code == 201
    assert registry.get_blob(repository, digest).content == data
    for value, expected in (
            ("bytes=0-0", data[:1]), ("bytes=-1", data[-1:]), ("bytes=16383-16385", data[16383:16386]),
            (f"bytes={MIB}-{3 * MIB}", data[MIB:3 * MIB + 1])):
        part = registry.get_blob(repository, digest, headers={"Range": value})
        assert (part.status_code, part.content) == (206, expected)


def test_a_slow_reader_gets_every_byte(drydock, registry, repository):
    """The socket fills, again and again; records that were begun are finished."""
    data = Pattern(32 * MIB, seed=2).readall()
    registry.push_blob(repository, data)
    digest = digest_of(data)
    with drydock.connect() as wire:
        wire.request("GET", f"/v2/{repository}/blobs/{digest}", [("Authorization", basic(drydock.token()))])
        before = 0
        while (unread := bytes_unread(wire.socket)) > before or unread == 0:
            before = unread
            time.sleep(0.05)
        assert unread < len(data)
        assert wire.read_response().body == data


def bytes_unread(connection):
    """What waits in the kernel for its reader."""
    return struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.FIONREAD, b"\0" * 4))[0]


def test_requests_in_one_record_and_in_many(drydock):
    request = b"GET /_drydock/health HTTP/1.1\r\nHost: here\r\n\r\n"
    with drydock.connect() as wire:
        wire.send(request * 50)
        for byte in request:
            wire.send(bytes([byte]))
        for _ in range(51):
            assert wire.read_response().status == 200


def test_many_connections(drydock):
    context = trusting(drydock.trust)
    wires = [Wire("127.0.0.1", drydock.port, context=context) for _ in range(300)]
    for wire in wires:
        wire.request("GET", "/_drydock/health")
    assert {wire.read_response().status for wire in wires} == {200}
    for wire in wires:
        wire.close()


def test_one_connection_too_many(make_server):
    server = make_server("--max-connections", "2", kind=TlsServer)
    with server.connect() as one, server.connect() as two:
        for busy in (one, two):
            assert healthy(busy)
            busy.request("POST", "/_drydock/clock", [("Content-Length", "15"), ("Expect", "100-continue")])
            assert busy.read_response(interim=True).status == 100
        with server.connect() as three:
            assert three.read_response().status == 503
        one.send(b'{"reset": true}')
        assert one.read_response().status == 200
        with server.connect() as three:
            assert healthy(three), "one is idle, and gives way"


def test_the_end_is_said(drydock):
    """close_notify: the client can tell an end from a cut."""
    context = trusting(drydock.trust)
    plain = socket.create_connection(("127.0.0.1", drydock.port))
    with context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as secure:
        secure.sendall(b"GET /_drydock/health HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        received = b""
        while piece := secure.recv(65536):
            received += piece
    assert received.startswith(b"HTTP/1.1 200 ") and b"Connection: close" in received


@pytest.mark.parametrize("how", ["close_notify", "end", "reset"])
def test_a_client_leaves_in_a_body(drydock, registry, repository, how):
    """The upload keeps what came, and nothing is left open."""
    location = registry.start_upload(repository).headers["Location"]
    login = drydock.token()
    gc.collect()  # SDK clients that nobody holds any more close their connections when they are collected, now
    wait_until(lambda: open_connections(drydock) == open_connections(drydock))
    before = open_connections(drydock)
    patch = Transfer(drydock, login, "PATCH", location, 10 * MIB)
    patch.send(b"x" * MIB)
    patch.wire.wait_until_read()
    assert open_connections(drydock) == before + 1
    if how == "close_notify":
        patch.wire.socket.settimeout(5)
        with pytest.raises((ssl.SSLError, OSError)):
            patch.wire.socket.unwrap()
            raise OSError("answered")
    if how == "reset":
        patch.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    patch.vanish()
    wait_until_open(drydock, before)


def open_connections(server):
    """The one that asks among them."""
    return server.metric("drydock_connections_open")


def wait_until_open(server, most):
    wait_until(lambda: open_connections(server) <= most)


# -- what is no TLS ---------------------------------------------------------------------------------------------------

def test_plain_http_is_answered(drydock):
    with drydock.connect_plain() as wire:
        wire.request("GET", "/v2/")
        answer = wire.read_response()
        assert (answer.status, answer.body) == (400, b"this port speaks TLS: use https://\n")
        assert wire.at_end()


@pytest.mark.parametrize("garbage", [
    os.urandom(1000), b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff" + b"x" * 70000, b"SSH-2.0-x\r\n" * 3,
    b"\x80\x2e\x01\x03\x01" + b"\0" * 60],
    ids=["random", "short", "too long", "SSH", "SSL 2"])
def test_garbage(drydock, garbage):
    before = drydock.metric("drydock_handshakes_failed_total")
    with drydock.connect_plain() as wire:
        wire.send(garbage)
        wire.finish_sending()
        try:
            while wire.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
    assert drydock.metric("drydock_handshakes_failed_total") > before
    assert healthy(drydock.connect())


class Halfway:
    """A client's side of a handshake, of which a test sends as much as it likes."""

    def __init__(self, server):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = trusting(server.trust).wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        self.hello = self.outgoing.read()


def test_clients_that_leave_in_the_handshake(drydock):
    hello, before = Halfway(drydock).hello, open_connections(drydock)
    for cut in (0, 1, 5, 100, len(hello)):
        for reset in (False, True):
            with drydock.connect_plain() as wire:
                wire.send(hello[:cut])
                if reset:
                    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_until_open(drydock, before)


def test_a_hello_byte_by_byte(drydock):
    hello = Halfway(drydock).hello
    with drydock.connect_plain() as wire:
        for byte in hello:
            wire.send(bytes([byte]))
        assert wire.socket.recv(1) == b"\x16"  # the server's own hello


@pytest.mark.alone
def test_slow_handshakes_are_ended(drydock):
    """Ten seconds are enough for anyone."""
    hello = Halfway(drydock).hello
    silent, slow = drydock.connect_plain(), drydock.connect_plain()
    begun = time.monotonic()
    slow.send(hello[:20])
    assert silent.at_end()
    while slow.socket.recv(65536):
        pass
    assert 8 < time.monotonic() - begun < 14
    drydock.wait_for_log("it took too long")
    silent.close(), slow.close()


# -- stopping ---------------------------------------------------------------------------------------------------------

def test_what_runs_is_finished(make_server, tmp_path):
    """An upload under way at SIGTERM; idle connections and unfinished handshakes are closed at once."""
    server = make_server(kind=TlsServer, data=tmp_path / "data")
    server.ecr().create_repository(repositoryName="app")
    registry = server.registry()
    location = registry.start_upload("app").headers["Location"]
    patch = Transfer(server, server.token(), "PATCH", location, 2 * MIB)
    patch.send(b"x" * MIB)
    before = open_connections(server)
    idle, halfway = server.connect(), server.connect_plain()
    halfway.send(Halfway(server).hello[:50])
    wait_until(lambda: open_connections(server) == before + 2)
    halfway.wait_until_read()
    stopped = threading.Thread(target=server.process.send_signal, args=(signal.SIGTERM,))
    stopped.start()
    assert idle.at_end() and halfway.at_end()
    patch.send(b"x" * MIB)
    answer = patch.finish()
    assert (answer.status, answer.header("connection")) == (202, "close")
    stopped.join()
    assert server.process.wait(20) == 0
    server.process = None


def test_without_tls_nothing_of_it_is_made(make_server, tmp_path):
    server = make_server(data=tmp_path / "data")
    server.ecr().create_repository(repositoryName="app")
    assert isinstance(server, Server) and not (tmp_path / "data/ca").exists()

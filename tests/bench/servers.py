"""The servers that the benchmark measures: Drydock and its peers, each on a free port of 127.0.0.1."""

import hashlib
import hmac
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
API_AUTH = ("AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/ecr/aws4_request, "
            "SignedHeaders=host, Signature=" + "0" * 64)
TARGET = "AmazonEC2ContainerRegistry_V20150921."


class Unavailable(Exception):
    """A server cannot be measured here; the text says why and how to mend it."""


def find(program):
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin:/sbin")
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def process_tree(pid):
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:         # a thread that has just ended
            continue
        for child in children:
            pids += process_tree(int(child))
    return pids


def process_cpu(pid):
    """CPU seconds of all the threads of a process, those that have ended too."""
    try:
        return time.clock_gettime((~pid << 3) | 2)      # its CPU clock: finer than the ticks of /proc
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def process_kib(pid, field):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0


# The cipher that Drydock prefers: so both encrypt alike.
NGINX_TLS = """  ssl_certificate tls.pem; ssl_certificate_key tls.key; ssl_protocols TLSv1.2 TLSv1.3;
  ssl_prefer_server_ciphers on; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256; ssl_session_tickets on;
"""


def make_certificate(folder):
    """tls.pem and tls.key."""
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "tls.key", "-out",
         folder / "tls.pem"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl made no certificate: {done.stderr[-300:]}")


class Server:
    """One server and its data folder.  command() and write_config() are what each kind adds."""

    key = ""            # what the tables call it
    kind = ""           # registry, files or api: which requests it is sent
    probe = "/"         # answered as soon as the server is up
    env = {}

    def __init__(self, folder):
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.process = None
        self.port = 0
        self.auth = None
        self.api_auth = API_AUTH
        self.tls = False        # it serves over TLS alone, with the certificate of make_certificate

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @classmethod
    def check(cls):
        """Raise Unavailable unless the program is here; return its version."""
        raise NotImplementedError

    def prepare(self):
        """Write configuration and folders; called before each start."""
        self.data.mkdir(parents=True, exist_ok=True)
        if self.tls:
            make_certificate(self.folder)

    def command(self):
        raise NotImplementedError

    def start(self):
        self.port = free_port()
        self.prepare()
        with open(self.folder / "output", "wb") as output:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            cwd=self.folder, env={**os.environ, **self.env})
        self.wait_ready()
        self.log_in()

    def wait_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.key} ended with status {self.process.returncode}: {self.last_words()}")
            try:
                self.request("GET", self.probe)
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{self.key} did not answer in {seconds} s: {self.last_words()}") from None
                time.sleep(0.01)

    def log_in(self):
        pass

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def last_words(self):
        try:
            return (self.folder / "output").read_text(errors="replace")[-500:].strip()
        except OSError:
            return ""

    def cpu(self):
        return sum(process_cpu(pid) for pid in process_tree(self.process.pid))

    def rss_kib(self):
        return sum(process_kib(pid, "VmRSS") for pid in process_tree(self.process.pid))

    def peak_kib(self):
        return sum(process_kib(pid, "VmHWM") for pid in process_tree(self.process.pid))

    def request(self, method, path, body=None, headers=()):
        if self.tls:
            context = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def api_signature(self, operation, body):
        """The headers that sign an operation's request; the load generator sends them as they are."""
        return {"Authorization": self.api_auth}

    def api(self, operation, **members):
        """Call an ECR operation; the answer's members.  RuntimeError when it is not 200."""
        sent = json.dumps(members)
        status, _, body = self.request("POST", "/", sent, {
            **self.api_signature(operation, sent.encode()), "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": TARGET + operation})
        if status != 200:
            raise RuntimeError(f"{self.key}: {operation} answered {status} {body[:300].decode(errors='replace')}")
        return json.loads(body)

    def create_repository(self, name):
        """Make sure the repository is there (registries that create on push need nothing)."""

    def push_blob(self, repository, data):
        """Push one small blob; its digest."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        headers = {"Authorization": self.auth} if self.auth else {}
        status, answer, body = self.request("POST", f"/v2/{repository}/blobs/uploads/", b"", headers)
        if status == 202:
            where = answer["Location"]
            where = "/" + where.split("/", 3)[3] if "://" in where.split("?")[0] else where
            where += ("&" if "?" in where else "?") + "digest=" + digest
            headers["Content-Type"] = "application/octet-stream"
            status, _, body = self.request("PUT", where, data, headers)
        if status != 201:
            raise RuntimeError(f"{self.key}: a blob's push answered {status} {body[:300].decode(errors='replace')}")
        return digest


class Drydock(Server):
    key = "drydock"
    kind = "registry"
    probe = "/_drydock/health"
    env = {"DRYDOCK_LOG_LEVEL": "warn"}         # no line per request, as with every peer
    binary = Path(os.environ.get("DRYDOCK_BIN", ROOT / "build" / "drydock"))
    extra = []

    @classmethod
    def check(cls):
        if not os.access(cls.binary, os.X_OK):
            raise Unavailable(f"{cls.binary} is not there: make build, or set DRYDOCK_BIN")
        return ""

    def where(self):
        return ["--data", str(self.data)]

    def command(self):
        listen = ["--listen", self.address]
        if self.tls:
            listen = ["--listen", "none", "--tls-listen", self.address, "--tls-cert", str(self.folder / "tls.pem"),
                      "--tls-key", str(self.folder / "tls.key")]
        return [str(self.binary), "serve", *listen, *self.where(), *self.extra]

    def log_in(self):
        token = self.api("GetAuthorizationToken")["authorizationData"][0]["authorizationToken"]
        self.auth = "Basic " + token

    def create_repository(self, name):
        self.api("CreateRepository", repositoryName=name)


class DrydockEphemeral(Drydock):
    key = "drydock-ephemeral"

    def where(self):
        return ["--ephemeral"]


class DrydockIam(Drydock):
    """Signatures verified and policies evaluated, for the pipeline's kind of user."""

    key = "drydock-iam"
    access_key, secret = "AKIABENCH00000000001", "bench/secret"

    def prepare(self):
        policy = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
            {"Effect": "Allow", "Action": ["ecr:Batch*", "ecr:Describe*", "ecr:Create*", "ecr:Put*", "ecr:*Layer*"],
             "Resource": "arn:aws:ecr:us-east-1:000000000000:repository/*"}]}
        user = {"accessKeys": {self.access_key: self.secret}, "policies": {"bench": policy}}
        self.iam = self.folder / "iam.json"
        self.iam.write_text(json.dumps({"accounts": {"000000000000": {"users": {"bench": user}}}}))

    def where(self):
        return [*super().where(), "--auth", "iam", "--iam", str(self.iam), "--doors", "open"]

    def api_signature(self, operation, body):
        def sign(key, text):
            return hmac.new(key, text.encode(), hashlib.sha256).digest()

        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        scope = [now[:8], "us-east-1", "ecr", "aws4_request"]
        names = "host;x-amz-date;x-amz-target"
        request = "\n".join(["POST", "/", "", f"host:{self.address}", f"x-amz-date:{now}",
                             f"x-amz-target:{TARGET}{operation}", "", names, hashlib.sha256(body).hexdigest()])
        to_sign = "\n".join(["AWS4-HMAC-SHA256", now, "/".join(scope), hashlib.sha256(request.encode()).hexdigest()])
        key = ("AWS4" + self.secret).encode()
        for part in scope:
            key = sign(key, part)
        return {"Authorization": f"AWS4-HMAC-SHA256 Credential={self.access_key}/{'/'.join(scope)}, SignedHeaders={names}, "
                                 f"Signature={sign(key, to_sign).hex()}", "X-Amz-Date": now}


class DockerRegistry(Server):
    key = "docker-registry"
    kind = "registry"
    probe = "/v2/"

    @classmethod
    def check(cls):
        program = find("docker-registry")
        if not program:
            raise Unavailable("not installed: apt-get install docker-registry")
        return subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split()[-1]

    def prepare(self):
        super().prepare()
        (self.folder / "config.yml").write_text(
            "version: 0.1\n"
            "log: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.data}}}}}\n"
            f"http: {{addr: '{self.address}'}}\n")

    def command(self):
        return [find("docker-registry"), "serve", str(self.folder / "config.yml")]


class Nginx(Server):
    """Static files by sendfile and WebDAV PUT: what no hashing, no checks and no flushing can reach."""

    key = "nginx"
    kind = "files"

    @classmethod
    def check(cls):
        program = find("nginx")
        if not program:
            raise Unavailable("not installed: apt-get install nginx")
        about = subprocess.run([program, "-V"], capture_output=True, text=True).stderr
        if "http_dav_module" not in about:
            raise Unavailable("built without http_dav_module: apt-get install nginx")
        return about.split("nginx/", 1)[1].split()[0]

    def prepare(self):
        super().prepare()
        user = "user root;" if os.geteuid() == 0 else ""
        temp = "".join(f" {kind}_temp_path {self.folder}/temp;\n"
                       for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.folder / "nginx.conf").write_text(
            f"{user} daemon off; worker_processes 2; pid {self.folder}/pid; error_log {self.folder}/errors;\n"
            "events { worker_connections 1024; }\n"
            "http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;\n"
            f" client_max_body_size 0;\n{temp}"
            f" server {{ listen {self.address} {'ssl ' if self.tls else ''}reuseport; root {self.data};\n"
            f"{NGINX_TLS if self.tls else ''}"
            "  location /put/ { dav_methods PUT; create_full_put_path on; } } }\n")

    def command(self):
        return [find("nginx"), "-e", str(self.folder / "errors"), "-p", str(self.folder),
                "-c", str(self.folder / "nginx.conf")]


class Moto(Server):
    """moto_server from its own virtual environment, made on first use from requirements.txt."""

    key = "moto"
    kind = "api"
    env = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    program = None

    @classmethod
    def check(cls):
        wanted = (HERE / "requirements.txt").read_text()
        name = "bench-venv-" + hashlib.sha256(wanted.encode()).hexdigest()[:8]
        venv = Path(os.environ.get("DRYDOCK_BENCH_VENV", ROOT / "build" / name))
        cls.program = venv / "bin" / "moto_server"
        if not cls.program.exists():
            cls.make(venv)
        shown = subprocess.run([venv / "bin" / "pip", "show", "moto"], capture_output=True, text=True).stdout
        return next((line.split()[1] for line in shown.splitlines() if line.startswith("Version:")), "")

    @staticmethod
    def make(venv):
        print(f"making {venv} with moto_server (once)", file=sys.stderr)
        for command in ([sys.executable, "-m", "venv", venv],
                        [venv / "bin" / "pip", "install", "--quiet", "-r", HERE / "requirements.txt"]):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                words = (done.stderr or done.stdout).strip().splitlines()
                raise Unavailable("could not be installed with pip: " + (words[-1] if words else "no reason given"))

    def command(self):
        return [str(self.program), "-H", "127.0.0.1", "-p", str(self.port)]

    def create_repository(self, name):
        self.api("CreateRepository", repositoryName=name)


SERVERS = {cls.key: cls for cls in (Drydock, DrydockEphemeral, DrydockIam, DockerRegistry, Nginx, Moto)}

"""Every door, as a valid request each: the registry's routes, all operations of the API, layer links, STS, Drydock's own."""

import json
import re
from urllib.parse import quote

from support.api import TARGET_PREFIX, authorization
from support.iam import KEYS
from support.images import (
    DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Blob, Image, digest_of)
from support.shapes import MODEL

from light_client import Client, signature

OPERATIONS = sorted(MODEL["operations"])
PARTS = 3000  # bytes of the uploads under way
LIFECYCLE = (
    '{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": %d}, '
    '"action": {"type": "expire"}}]}')
POLICY = '{"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "%s", "Principal": "*", "Action": "ecr:%s"}]}'
REGISTRY_POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "%s", "Principal": {"AWS": "111122223333"}, '
    '"Action": "ecr:ReplicateImage"}]}')


def some_bytes(dice, size):
    return dice.randbytes(size)


def image_of(dice, layers, architecture="amd64", **members):
    """An OCI image over these blobs that no other has been: its config is drawn by lot."""
    config = Blob(json.dumps({
        "architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
        "comment": f"{dice.getrandbits(64):x}"}).encode(), OCI_CONFIG)
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.descriptor(),
                "layers": [layer.descriptor() for layer in layers]}
    return Image(document | members, OCI_MANIFEST, [config, *layers])


def layer_of(dice, size):
    return Blob(some_bytes(dice, size), OCI_LAYER)


class Request:
    """Before it is mutated: `signer` is None or the service that it is signed for, last of all."""

    def __init__(self, method, target, headers=(), body=b"", signer=None, operation=None):
        self.method, self.target, self.body = method, target, body
        self.headers = [list(one) for one in headers]
        self.signer, self.operation = signer, operation

    def copy(self):
        return Request(self.method, self.target, self.headers, self.body, self.signer, self.operation)


class World:
    """What is in a server while it is attacked, built anew now and then: an attack finds ways to empty it."""

    def __init__(self, server, dice, auth):
        self.server, self.auth = server, auth
        self.credentials = KEYS["admin"] if auth == "iam" else None
        self.layers = [layer_of(dice, size) for size in (300, 70_000)]
        self.image, self.child = image_of(dice, self.layers), image_of(dice, self.layers[:1], "arm64")
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX,
                 "manifests": [self.child.descriptor(platform={"os": "linux", "architecture": "arm64"})]}
        self.index = Image(index, OCI_INDEX, children=[self.child])
        self.referrer = image_of(
            dice, self.layers[:1], artifactType="application/vnd.example.sbom", subject=self.image.descriptor())
        self.loose = layer_of(dice, 200)
        self.account = "503561414328" if auth == "iam" else "000000000000"
        self.profile = f"arn:aws:signer:us-east-1:{self.account}:/signing-profiles/mine"

    def build(self):
        client = Client(self.server.port, credentials=self.credentials)
        for door, body in (("reset", b""), ("clock", b'{"reset": true}')):
            client.request("POST", f"/_drydock/{door}", body)  # closed where the server's mode wants that
        if self.auth != "open":
            client.log_in()
        self.login = client.login
        for name in ("team/app", "team/other"):
            status, document = client.api("CreateRepository", repositoryName=name)
            assert status == 200 or document["__type"] == "RepositoryAlreadyExistsException", document
        for image, tag in ((self.image, "v1"), (self.image, "latest"), (self.child, None), (self.index, "multi"),
                           (self.referrer, None)):
            answer = client.push("team/app", image, tag)
            assert answer.status == 201, answer
        self.settle(client)
        client.push_blob("team/app", self.loose)
        client.push("team/other", self.image, "v1")
        self.uploads = [self._upload(client) for _ in range(3)]
        _, link = client.api(
            "GetDownloadUrlForLayer", repositoryName="team/app", layerDigest=self.layers[0].digest)
        self.link = re.sub("^https?://[^/]+", "", link["downloadUrl"])
        _, page = client.api("ListImages", repositoryName="team/app", maxResults=1)
        self.page = page.get("nextToken", "none")
        client.close()

    def settle(self, client):
        """One of each thing that operations read, change and delete, where it is not there already."""
        here, image = {"repositoryName": "team/app"}, {"imageDigest": self.image.digest}
        for operation, document in (
                ("PutLifecyclePolicy", here | {"lifecyclePolicyText": LIFECYCLE % 50}),
                ("StartLifecyclePolicyPreview", here), ("SetRepositoryPolicy", here | {"policyText": POLICY % ("Allow", "*")}),
                ("PutRegistryPolicy", {"policyText": REGISTRY_POLICY % "Allow"}), ("StartImageScan", here | {"imageId": image}),
                ("CreateRepositoryCreationTemplate", {"prefix": "team", "appliedFor": ["CREATE_ON_PUSH"]}),
                ("CreatePullThroughCacheRule", {"ecrRepositoryPrefix": "public", "upstreamRegistryUrl": "public.ecr.aws"}),
                ("RegisterPullTimeUpdateExclusion", {"principalArn": f"arn:aws:iam::{self.account}:role/nobody"}),
                ("PutSigningConfiguration", {"signingConfiguration": {"rules": [{"signingProfileArn": self.profile}]}})):
            client.api(operation, **document)

    def _upload(self, client):
        location = client.request("POST", "/v2/team/app/blobs/uploads/").headers["Location"].split("?")[0]
        client.request("PATCH", location, b"x" * PARTS, {"Content-Type": "application/octet-stream"})
        return location.rsplit("/", 1)[1]

    # -- the doors ------------------------------------------------------------------------------------------------------

    def registry(self, dice):
        """One of each route of server/registry/route.c, and of their forms."""
        upload, repository = dice.choice(self.uploads), "/v2/team/app"
        login = [("Authorization", self.login)] if self.login else []
        accept = [*login, ("Accept", ", ".join((OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST)))]
        octets = [*login, ("Content-Type", "application/octet-stream")]
        image = dice.choice((self.image, self.index, self.referrer))
        reference = dice.choice(("v1", "latest", "multi", "other", image.digest))
        layer, fresh = dice.choice(self.layers), some_bytes(dice, dice.choice((0, 10, 5000, 80_000)))
        return [
            ("GET", "/v2/", login), ("GET", "/v2/_catalog?n=1", login),
            ("GET", f"{repository}/tags/list?n=1&last=a", login),
            ("GET", f"{repository}/referrers/{self.image.digest}?artifactType=application/vnd.example.sbom", login),
            ("GET", f"{repository}/manifests/{reference}", accept), ("HEAD", f"{repository}/manifests/{reference}", accept),
            ("PUT", f"{repository}/manifests/{reference}", [*login, ("Content-Type", image.media_type)], image.manifest),
            ("PUT", f"{repository}/manifests/{image.digest}?tag=a&tag=b", [*login, ("Content-Type", image.media_type)],
             image.manifest),
            ("DELETE", f"{repository}/manifests/{reference}", login),
            ("GET", f"{repository}/blobs/{layer.digest}", [*login, ("Range", "bytes=10-20")]),
            ("GET", f"{repository}/blobs/{layer.digest}", login), ("HEAD", f"{repository}/blobs/{layer.digest}", login),
            ("DELETE", f"{repository}/blobs/{self.loose.digest}", login),
            ("POST", f"{repository}/blobs/uploads/", login),
            ("POST", f"{repository}/blobs/uploads/?mount={layer.digest}&from=team/other", login),
            ("POST", f"{repository}/blobs/uploads/?digest={digest_of(fresh)}", octets, fresh),
            ("GET", f"{repository}/blobs/uploads/{upload}", login),
            ("PATCH", f"{repository}/blobs/uploads/{upload}", octets, fresh),
            ("PATCH", f"{repository}/blobs/uploads/{upload}",
             [*octets, ("Content-Range", f"{PARTS}-{PARTS + len(fresh) - 1}")], fresh),
            ("PUT", f"{repository}/blobs/uploads/{upload}?digest={digest_of(b'x' * PARTS)}", octets),
            ("PUT", f"{repository}/blobs/uploads/{upload}?digest={digest_of(b'x' * PARTS + fresh)}", octets, fresh),
            ("DELETE", f"{repository}/blobs/uploads/{upload}", login),
        ]

    def own(self, dice):
        """Drydock's own, layer links among them."""
        return [
            ("GET", "/_drydock/health"), ("GET", "/metrics"), ("POST", "/_drydock/reset"), ("GET", "/_drydock/clock"),
            ("POST", "/_drydock/clock", (), dice.choice((
                b'{"advance_seconds": 60}', b'{"set": "2026-01-01T00:00:00Z"}', b'{"reset": true}'))),
            ("POST", "/_drydock/gc", (), b'{"grace_seconds": 0}'),
            ("POST", "/_drydock/lifecycle/run", (), b'{"repositoryName": "team/app"}'),
            ("GET", self.link), ("HEAD", self.link, [("Range", "bytes=0-9")]), ("GET", "/_drydock/layers/x"),
            ("GET", "/"), ("GET", "/nothing"),
        ]

    def sts(self, dice):
        form = dice.choice((
            "Action=GetCallerIdentity&Version=2011-06-15", "Action=GetSessionToken&DurationSeconds=900&Version=2011-06-15",
            f"Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A{self.account}%3Arole%2Fapp-instance"
            "&RoleSessionName=deploy&Version=2011-06-15"))
        return [
            ("POST", "/", [("Content-Type", "application/x-www-form-urlencoded")], form.encode()),
            ("GET", f"/?{form}", [("Authorization", authorization(service="sts"))])]

    def draw(self, dice):
        """A valid request: half of them of the API, the others of all other doors alike."""
        if dice.random() < 0.5:
            return self.call(dice, dice.choice(OPERATIONS))
        kind = dice.choice((self.registry, self.registry, self.registry, self.own, self.own, self.sts))
        request = Request(*dice.choice(kind(dice)))
        if request.target == "/_drydock/reset" and dice.random() < 0.9:
            return self.draw(dice)
        request.signer = "sts" if kind == self.sts and request.method == "POST" else None
        return request

    # -- the API --------------------------------------------------------------------------------------------------------

    def call(self, dice, operation):
        self.chosen, self.completing = dice.choice((self.image, self.index, self.child)), operation == "CompleteLayerUpload"
        document = self.valid(dice, MODEL["operations"][operation].get("input"), None, 0)
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", f"{TARGET_PREFIX}.{operation}")]
        return Request("POST", "/", headers, json.dumps(document or {}).encode(), "ecr", operation)

    def _known(self, dice, member):
        """What stands for a member of this name, so that requests come further than to their first check."""
        layer, image = dice.choice(self.layers), self.chosen
        known = {
            "repositoryName": ["team/app"] * 5 + ["team/other", f"new/{dice.getrandbits(24):x}"],
            "registryId": [self.account] * 7 + ["111122223333"],
            "imageDigest": [image.digest], "imageTag": ["v1", "latest", "multi", "none"],
            "layerDigest": [digest_of(b"x" * PARTS) if self.completing else layer.digest], "uploadId": self.uploads, "nextToken": [self.page],
            "imageManifest": [image.manifest.decode()], "imageManifestMediaType": [image.media_type],
            "lifecyclePolicyText": [LIFECYCLE % dice.randint(1, 100)],
            "policyText": [POLICY % ("Allow", "BatchGetImage"), POLICY % ("Deny", "*"), REGISTRY_POLICY % "Allow"],
            "principalArn": [f"arn:aws:iam::{self.account}:role/nobody"],
            "resourceArn": [f"arn:aws:ecr:us-east-1:{self.account}:repository/team/app"],
            "name": ["BLOB_MOUNTING", "BASIC_SCAN_TYPE_VERSION", "REGISTRY_POLICY_SCOPE"],
            "value": ["ENABLED", "V2", "AWS_NATIVE"], "region": ["us-west-2", "us-east-1"],
            "ecrRepositoryPrefix": ["public", "public", "hub"], "prefix": ["team", "team", "ROOT"], "filter": ["team*", "*", "v1"],
            "credentialArn": [f"arn:aws:secretsmanager:us-east-1:{self.account}:secret:ecr-pullthroughcache/a"],
            "signingProfileArn": [self.profile], "customRoleArn": [f"arn:aws:iam::{self.account}:role/nobody"],
            "upstreamRegistryUrl": ["public.ecr.aws", "registry-1.docker.io", "quay.io"],
            "partFirstByte": [PARTS], "partLastByte": [PARTS + 9], "layerPartBlob": ["eHh4eHh4eHh4eA=="],
            "maxResults": [1, 2, 100], "scanOnPush": [True, False], "artifactType": ["application/vnd.example.sbom"],
        }.get(member)
        return dice.choice(known) if known else None

    def valid(self, dice, shape_name, member, depth):
        shape = MODEL["shapes"].get(shape_name, {"type": "structure", "members": {}})
        kind = shape["type"]
        if (known := self._known(dice, member)) is not None and kind not in ("structure", "list", "map"):
            return known
        if shape_name == "ImageIdentifier":
            by_digest = dice.random() < 0.6
            return {"imageDigest": self.chosen.digest} if by_digest else {"imageTag": self._known(dice, "imageTag")}
        if kind == "structure":
            required = shape.get("required", ())
            return {name: self.valid(dice, one["shape"], name, depth + 1) for name, one in shape["members"].items()
                    if name in required or dice.random() < (0.3 if depth < 4 else 0)}
        if kind == "list":
            single = {"repositoryNames": "repositoryName", "layerDigests": "layerDigest"}.get(member)
            count = max(shape.get("min", 0), dice.choice((1, 1, 2)))
            return [self.valid(dice, shape["member"]["shape"], single, depth + 1) for _ in range(count)]
        if kind == "map":
            return {"key": self.valid(dice, shape["value"]["shape"], None, depth + 1)}
        if kind == "string":
            if "enum" in shape:
                return dice.choice(shape["enum"])
            return "a" * max(1, shape.get("min", 1)) if dice.random() < 0.8 else self.image.digest
        return {"boolean": True, "blob": "AAAA", "timestamp": 1.5e9}.get(kind, max(1, shape.get("min", 1)))


def paths(world, dice):
    """Every path that a door has, once."""
    targets = [(one[0], one[1].split("?")[0]) for one in world.registry(dice) + world.own(dice)]
    return sorted(set(targets))


def encoded(path, at):
    """The path with one of its characters written as %XX."""
    return path[:at] + f"%{ord(path[at]):02X}" + path[at + 1:]


def sign(request, credentials, host):
    """Adds what proves that the request comes from these credentials, over its method, headers and body as they are now."""
    target, _, query = request.target.partition("?")
    headers = [(name, value) for name, value in request.headers if name.lower() != "authorization"]
    request.headers = [list(one) for one in headers + signature(
        credentials, request.method, host, quote(target.encode("utf-8", "surrogatepass"), safe="/-_.~"), query, headers, request.body, request.signer)]


def pretend(request):
    """A signature of nothing, which is all that modes other than iam ask for."""
    if not any(name.lower() == "authorization" for name, _ in request.headers):
        request.headers.append(["Authorization", authorization(service=request.signer)])

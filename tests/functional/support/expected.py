"""What the registry is expected to answer, kept in testdata/registry/*.json: one file per route.

A file is a list of cases:

    {"case": "a tag that is not there",
     "send": "GET /v2/team/app/manifests/none",      method and target
     "headers": {"Accept": "*/*"},                   optional
     "body": "@image",                               optional: text, the manifest of that name in World, or a number of
                                                     bytes
     "login": "none",                                optional: without one, or with one that has "expired"
     "head": false,                                  optional: HEAD has another answer than GET (else it is asked as well)
     "answer": {"status": 404, "error": ["MANIFEST_UNKNOWN", "Requested image not found"]}}

or, where the profiles differ, "ecr": {...} and "oci": {...} in place of "answer". An answer has a status, the headers
(all of them, but for Date, Content-Length, Docker-Distribution-Api-Version, and Content-Type of an error) and a body:
"error": [code, message], "json": a value, "text": a text, "bytes": a name in World, or nothing. In all texts {image} and
the like stand for the World's digests, {host} for the server, {uuid} and {token} for anything of that form.
"""

import json
import re

from .binary import SOURCE
from .images import OCI_INDEX, OCI_LAYER, Blob, Image, converted, digest_of, oci_artifact, oci_image, oci_index

FOLDER = SOURCE / "testdata/registry"
FORMS = {"uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "token": r"[A-Za-z0-9_-]+"}
IMPLIED = {"Date", "Content-Length", "Docker-Distribution-Api-Version"}
JSON = "application/json; charset=utf-8"
LOGIN_SECONDS = 12 * 3600


def cases(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


def _index(descriptors):
    return Image({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors}, OCI_INDEX)


class World:
    """What is there before each case: small, and made anew each time.

    team/app: `image` (tags v1 and latest), `index` (tag multi) of `child`, `referrer` of image, and an upload of "hello".
    team/other: `held`, the layer of an image, and `loose`, a blob that no image has. team/empty. team/fixed (IMMUTABLE)
    and team/mixed (IMMUTABLE_WITH_EXCLUSION: dev-*), both with `image` as v1 and dev-1.
    """

    def __init__(self):
        self.image, self.child, self.another = oci_image(), oci_image(), oci_image()
        self.index = oci_index([self.child])
        self.referrer = oci_artifact("application/vnd.example.sbom", self.image, annotations={"made.by": "a test"})
        self.held, self.loose = oci_image(), Blob(b"loose")
        absent = Blob(b"nobody has pushed this")
        self.documents = {
            "image": self.image, "another": self.another, "index": self.index, "referrer": self.referrer,
            "nested": oci_index([self.index]),
            "sparse": oci_index([oci_image()]),
            "layerless": oci_image(layers=[absent]),
            "cache": _index([layer.descriptor() for layer in self.image.layers]),
            "orphan": oci_artifact("application/vnd.example.sbom", oci_image(), layers=0),
        }
        self.documents["orphan"].document["layers"] = []
        self.values = {
            "image": self.image.digest, "config": self.image.config.digest, "layer": self.image.layers[0].digest,
            "child": self.child.digest, "index": self.index.digest, "referrer": self.referrer.digest,
            "referrer_size": self.referrer.size, "another": self.another.digest,
            "another_config": self.another.config.digest, "another_layer": self.another.layers[0].digest,
            "held": self.held.layers[0].digest, "loose": self.loose.digest, "absent": absent.digest,
            "sparse_child": self.documents["sparse"].children[0].digest, "cache": self.documents["cache"].digest,
            "sparse": self.documents["sparse"].digest, "nested": self.documents["nested"].digest,
            "missing_subject": self.documents["orphan"].document["subject"]["digest"],
            "orphan": self.documents["orphan"].digest, "image_size": self.image.size,
            "image_as_docker": digest_of(converted(self.image)),
        }

    def build(self, server):
        ecr, registry = server.ecr(), server.registry()
        for name in ("team/app", "team/other", "team/empty"):
            ecr.create_repository(repositoryName=name)
        ecr.create_repository(repositoryName="team/fixed", imageTagMutability="IMMUTABLE")
        ecr.create_repository(
            repositoryName="team/mixed", imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
            imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev-*"}])
        registry.push_image("team/app", self.image, "v1", "latest")
        registry.push_image("team/app", self.index, "multi")
        registry.push_image("team/app", self.referrer)
        for name in ("team/fixed", "team/mixed"):
            registry.push_image(name, self.image, "v1", "dev-1")
            for blob in self.another.blobs:
                registry.push_blob(name, blob.data)
        for blob in self.another.blobs + self.documents["orphan"].blobs:
            registry.push_blob("team/app", blob.data)
        registry.push_image("team/other", self.held, "v1")
        registry.push_blob("team/other", self.loose.data)
        location = registry.start_upload("team/app").headers["Location"]
        registry.patch_upload(location, b"hello")
        self.values |= {"upload": location.rsplit("/", 1)[1], "host": server.host}
        self.server, self.registry = server, registry

    def fill(self, text):
        """The text with its {names} replaced by values."""
        return re.sub(r"\{(\w+)\}", lambda name: str(self.values.get(name[1], name[0])), text)

    def pattern(self, text):
        """A regular expression for an expected text."""
        pattern = re.escape(self.fill(text))
        for name, form in FORMS.items():
            pattern = pattern.replace(re.escape("{" + name + "}"), form)
        return pattern

    def send(self, case, method=None):
        given, target = case["send"].split(" ", 1)
        body = case.get("body", "")
        body = body if isinstance(body, str) else " " * body
        document = self.documents.get(body[1:]) if body.startswith("@") else None
        headers = {"Content-Type": document.media_type} if document else {}
        headers |= {name: self.fill(value) for name, value in case.get("headers", {}).items()}
        registry = self.server.registry(login=None) if case.get("login") == "none" else self.registry
        if case.get("login") == "expired":
            self.server.advance(LOGIN_SECONDS + 1)
        return registry.request(
            method or given, registry.url + self.fill(target), headers=headers,
            data=document.manifest if document else body.encode())

    # -- comparing ----------------------------------------------------------------------------------------------------

    def check(self, response, expected, head=False):
        """Fails unless the answer is the expected one, status, headers and body."""
        said = f"{response.status_code} {dict(response.headers)} {response.text[:600]}"
        assert response.status_code == expected["status"], said
        self._check_headers(response, expected, said)
        if head or "bytes" in expected:
            wanted = b"" if head else self._bytes(expected["bytes"])
            assert response.content == wanted, said
        elif "error" in expected or "json" in expected:
            wanted = expected.get("json")
            if "error" in expected:
                wanted = {"errors": [dict(zip(("code", "message"), expected["error"]))]}
            wanted = re.sub(r'"(\{\w+_size\})"', r"\1", json.dumps(wanted))  # a number
            assert re.fullmatch(self.pattern(wanted), json.dumps(response.json())), f"{said}\nexpected {wanted}"
        else:
            assert re.fullmatch(self.pattern(expected.get("text", "")), response.text), said

    def _check_headers(self, response, expected, said):
        wanted = dict(expected.get("headers", {}))
        if "error" in expected:
            wanted.setdefault("Content-Type", JSON)
        names = {name for name in response.headers if name not in IMPLIED}
        assert {name.lower() for name in names} == {name.lower() for name in wanted}, said
        assert response.headers["Docker-Distribution-Api-Version"] == "registry/2.0", said
        for name, value in wanted.items():
            assert re.fullmatch(self.pattern(value), response.headers[name]), f"{name}: {said}"

    def _bytes(self, name):
        if name in self.documents:
            return self.documents[name].manifest
        return {
            "layer": self.image.layers[0].data, "config": self.image.config.data, "image_as_docker": converted(self.image),
        }[name]

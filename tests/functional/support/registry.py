"""A client of the registry API: each way of uploading, and every answer as it is."""

from urllib.parse import urljoin

import requests

from .images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, digest_of

MANIFEST_TYPES = (DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX)
UPLOAD_FORMS = ("put", "patch", "stream", "chunks", "chunks-put", "post")


class Registry:
    """`login` is a (user, password) pair or None. Methods named after requests return the `requests.Response`;
    push_...() and pull_...() do the whole conversation and fail when a step does not succeed."""

    def __init__(self, url, login=None, timeout=60, verify=None):
        self.url, self.timeout = url, timeout
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth, self.session.verify = login, verify

    def request(self, method, path, **arguments):
        """Any request; `path` is relative to /v2/, or an address that the server gave out."""
        arguments.setdefault("timeout", self.timeout)
        arguments.setdefault("allow_redirects", method != "HEAD")
        return self.session.request(method, urljoin(f"{self.url}/v2/", path), **arguments)

    def close(self):
        self.session.close()

    # -- blobs ------------------------------------------------------------------------------------------------------

    def start_upload(self, repository, **query):
        return self.request("POST", f"{repository}/blobs/uploads/", params=query)

    def patch_upload(self, location, data, first=None):
        """Sends a part: as docker does when `first` is None, else as the chunk that begins at byte `first`."""
        headers = {"Content-Type": "application/octet-stream"}
        if first is not None:
            headers["Content-Range"] = f"{first}-{first + len(data) - 1}"
        return self.request("PATCH", location, data=data, headers=headers)

    def finish_upload(self, location, digest, data=b"", first=None):
        headers = {"Content-Type": "application/octet-stream"}
        if first is not None:
            headers["Content-Range"] = f"{first}-{first + len(data) - 1}"
        return self.request("PUT", location, params={"digest": digest}, data=data, headers=headers)

    def upload_status(self, location):
        return self.request("GET", location)

    def cancel_upload(self, location):
        return self.request("DELETE", location)

    def push_blob(self, repository, data, digest=None, form="patch", chunk=5 << 20):
        """Uploads `data` (bytes) in one of UPLOAD_FORMS and returns the last answer; earlier ones must succeed.

        put: POST, PUT with everything. patch: POST, one PATCH, PUT without a body (docker). stream: the same, with
        the PATCH in chunked transfer encoding. chunks: several PATCH with Content-Range. chunks-put: the last chunk
        is in the PUT. post: one POST with everything.
        """
        digest = digest or digest_of(data)
        if form == "post":
            return self.request(
                "POST", f"{repository}/blobs/uploads/", params={"digest": digest}, data=data,
                headers={"Content-Type": "application/octet-stream"})
        location = self._location(self.start_upload(repository), 202)
        if form == "put":
            return self.finish_upload(location, digest, data)
        if form in ("patch", "stream"):
            body = data if form == "patch" else iter([data[at:at + chunk] for at in range(0, len(data), chunk)])
            location = self._location(self.patch_upload(location, body), 202)
            return self.finish_upload(location, digest)
        assert form in ("chunks", "chunks-put"), form
        starts = list(range(0, len(data), chunk))
        last = starts.pop() if form == "chunks-put" and starts else len(data)
        for first in starts:
            location = self._location(self.patch_upload(location, data[first:first + chunk], first), 202)
        if last < len(data):
            return self.finish_upload(location, digest, data[last:], last)
        return self.finish_upload(location, digest)

    def head_blob(self, repository, digest):
        return self.request("HEAD", f"{repository}/blobs/{digest}", allow_redirects=True)

    def get_blob(self, repository, digest, **arguments):
        return self.request("GET", f"{repository}/blobs/{digest}", **arguments)

    def _location(self, response, status):
        assert response.status_code == status, f"{response.request.method} {response.url}: {describe(response)}"
        return urljoin(response.url, response.headers["Location"])

    # -- manifests --------------------------------------------------------------------------------------------------

    def put_manifest(self, repository, reference, manifest, media_type):
        return self.request(
            "PUT", f"{repository}/manifests/{reference}", data=manifest, headers={"Content-Type": media_type})

    def get_manifest(self, repository, reference, accept=MANIFEST_TYPES, method="GET"):
        return self.request(
            method, f"{repository}/manifests/{reference}", headers={"Accept": ", ".join(accept)})

    def tags(self, repository, **query):
        return self.request("GET", f"{repository}/tags/list", params=query)

    # -- whole conversations ----------------------------------------------------------------------------------------

    def push_image(self, repository, image, *references, form="patch"):
        """Pushes an image (the children of an index first) under each reference, by digest when there is none.
        Blobs that the repository has already are not sent again."""
        for child in image.children:
            self.push_image(repository, child, form=form)
        for blob in image.blobs:
            if self.head_blob(repository, blob.digest).status_code == 404:
                _expect(self.push_blob(repository, blob.data, form=form), 201)
        for reference in references or (image.digest,):
            response = _expect(self.put_manifest(repository, reference, image.manifest, image.media_type), 201)
            assert response.headers["Docker-Content-Digest"] == image.digest

    def pull_image(self, repository, reference):
        """Fetches a manifest and every blob and child that it names, checks all digests, and returns the manifest's
        bytes."""
        response = _expect(self.get_manifest(repository, reference), 200)
        digest = response.headers["Docker-Content-Digest"]
        assert digest_of(response.content) == digest
        document = response.json()
        for child in document.get("manifests", ()):
            self.pull_image(repository, child["digest"])
        for blob in [*filter(None, [document.get("config")]), *document.get("layers", ())]:
            data = _expect(self.get_blob(repository, blob["digest"]), 200).content
            assert len(data) == blob["size"] and digest_of(data) == blob["digest"]
        return response.content


def describe(response):
    return f"{response.status_code} {dict(response.headers)} {response.text[:500]}"


def _expect(response, status):
    assert response.status_code == status, f"{response.request.method} {response.url}: {describe(response)}"
    return response


def error_of(response):
    """(code, message) of the one error in a registry answer; fails when it is not the error envelope."""
    errors = response.json()["errors"]
    assert len(errors) == 1, errors
    return errors[0]["code"], errors[0].get("message")

"""Hundreds of operations in a row, by both APIs, over crashes: the store is always what a few lines of Python say."""

import random

import pytest
from support import shapes  # noqa: F401 (answers are held against the model)
from support.api import pages
from support.images import Image, oci_image, oci_index

pytestmark = pytest.mark.long

TAGS = ("latest", "v1", "v2", "dev-1", "dev-2")
MODES = {"plain": "MUTABLE", "fixed": "IMMUTABLE", "mixed": "IMMUTABLE_WITH_EXCLUSION"}


class Model:
    """What is in one repository: {digest: set of tags}, and which index names which digests."""

    def __init__(self, mode):
        self.mode, self.images, self.children = mode, {}, {}

    def owner(self, tag):
        return next((digest for digest, tags in self.images.items() if tag in tags), None)

    def may_bind(self, tag, digest):
        return (
            self.owner(tag) in (None, digest) or self.mode == "MUTABLE" or
            (self.mode == "IMMUTABLE_WITH_EXCLUSION" and tag.startswith("dev-")))

    def put(self, image, tag):
        """The status of a registry's PUT, and what it does."""
        if not all(child.digest in self.images for child in image.children):
            return 404
        if tag and not self.may_bind(tag, image.digest):
            return 400
        if tag and (owner := self.owner(tag)):
            self.images[owner].discard(tag)
        self.images.setdefault(image.digest, set()).update([tag] if tag else [])
        self.children[image.digest] = {child.digest for child in image.children}
        return 201

    def delete(self, digest, tag):
        """The failure code of a BatchDeleteImage, None when it succeeds; and what it does."""
        if tag:
            found = self.owner(tag)
            if not found:
                return "ImageNotFound"
            if digest and digest != found:
                return "ImageTagDoesNotMatchDigest"
            if len(self.images[found]) > 1:
                self.images[found].discard(tag)
                return None
            digest = found
        if digest not in self.images:
            return "ImageNotFound"
        if any(digest in self.children[parent] for parent in self.images):
            return "ImageReferencedByManifestList"
        del self.images[digest]
        return None


class Walk:
    def __init__(self, server, seed):
        self.server, self.random, self.login = server, random.Random(seed), server.token()
        self.models = {name: Model(mode) for name, mode in MODES.items()}
        base = oci_image(size=50)
        self.images = [
            Image(base.document | {"annotations": {"number": str(i)}}, base.media_type, base.blobs) for i in range(4)]
        self.images += [oci_index(self.images[:2]), oci_index([self.images[1], self.images[3]])]
        self.images.append(oci_index([self.images[4]]))
        self.ecr, self.registry = server.ecr(), server.registry(self.login)
        for name, mode in MODES.items():
            filters = {"imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev-*"}]}
            self.ecr.create_repository(
                repositoryName=name, imageTagMutability=mode, **(filters if "EXCLUSION" in mode else {}))
            for blob in base.blobs:
                self.registry.push_blob(name, blob.data)

    def step(self):
        name = self.random.choice(list(MODES))
        self.random.choice((
            self.put_by_registry, self.put_by_registry, self.put_by_api, self.put_by_api, self.delete_by_api,
            self.delete_by_api, self.delete_by_registry, self.start_over))(name, self.models[name])
        return name

    def put_by_registry(self, name, model):
        image, tag = self.random.choice(self.images), self.random.choice((None, *TAGS))
        response = self.registry.put_manifest(name, tag or image.digest, image.manifest, image.media_type)
        assert response.status_code == model.put(image, tag), (name, image.digest, tag, response.text)

    def put_by_api(self, name, model):
        image, tag = self.random.choice(self.images), self.random.choice((None, *TAGS))
        there = image.digest in model.images and (tag is None or tag in model.images[image.digest])
        missing = not all(child.digest in model.images for child in image.children)
        expected = (
            "ReferencedImagesNotFoundException" if missing else "ImageAlreadyExistsException" if there
            else {201: None, 400: "ImageTagAlreadyExistsException"}[model.put(image, tag)])
        try:
            self.ecr.put_image(
                repositoryName=name, imageManifest=image.manifest.decode(), **({"imageTag": tag} if tag else {}))
            code = None
        except self.ecr.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
        assert code == expected, (name, image.digest, tag)

    def delete_by_api(self, name, model):
        ids, expected = [], []
        for _ in range(self.random.randint(1, 3)):
            digest = self.random.choice((None, self.random.choice(self.images).digest))
            tag = self.random.choice((None, *TAGS)) if digest else self.random.choice(TAGS)
            if not any(tag == used.get("imageTag") or digest == used.get("imageDigest") for used in ids):
                ids.append(({"imageDigest": digest} if digest else {}) | ({"imageTag": tag} if tag else {}))
        taken = {}  # what an earlier item of the request took away is no failure of a later one
        for one in ids:
            digest, tag = one.get("imageDigest"), one.get("imageTag")
            before = {digest: set(tags) for digest, tags in model.images.items()}
            code = model.delete(digest, tag)
            gone = any((not digest or digest == d) and (not tag or tag in tags) for d, tags in taken.items())
            if code == "ImageNotFound" and gone:
                code = None
            for d, tags in before.items():
                if tags - model.images.get(d, set()) or d not in model.images:
                    taken.setdefault(d, set()).update(tags - model.images.get(d, set()))
            expected += [(one, code)] if code else []
        answer = self.ecr.batch_delete_image(repositoryName=name, imageIds=ids)
        assert [(one["imageId"], one["failureCode"]) for one in answer["failures"]] == expected, (name, ids)

    def delete_by_registry(self, name, model):
        digest, tag = self.random.choice(self.images).digest, self.random.choice((None, *TAGS))
        expected = {None: 202, "ImageNotFound": 404, "ImageReferencedByManifestList": 405}[
            model.delete(None if tag else digest, tag)]
        assert self.registry.request("DELETE", f"{name}/manifests/{tag or digest}").status_code == expected

    def start_over(self, name, model):
        """The process dies."""
        if self.random.random() < 0.3:
            self.server.restart(kill=True)

    def check(self, name):
        """By every way of listing, in small pages."""
        model = self.models[name]
        expected = sorted((digest, tag) for digest, tags in model.images.items() for tag in sorted(tags) or [""])
        details = [one for page in pages(
            self.ecr.describe_images, "imageDetails", repositoryName=name, maxResults=2) for one in page]
        assert sorted(
            (one["imageDigest"], tag) for one in details for tag in one.get("imageTags", [""])) == expected, name
        for status, wanted in (("ANY", (True, False)), ("TAGGED", (True,)), ("UNTAGGED", (False,))):
            ids = [one for page in pages(self.ecr.list_images, "imageIds", repositoryName=name, maxResults=3, filter={
                "tagStatus": status}) for one in page]
            assert [(one["imageDigest"], one.get("imageTag", "")) for one in ids] == [
                pair for pair in expected if bool(pair[1]) in wanted], (name, status)
        assert sorted(self.registry.tags(name).json()["tags"]) == sorted(tag for _, tag in expected if tag)
        for image in self.images:
            response = self.registry.get_manifest(name, image.digest)
            assert response.status_code == (200 if image.digest in model.images else 404)


@pytest.mark.parametrize("seed", range(4))
def test_walk(make_server, tmp_path, seed):
    walk = Walk(make_server(data=tmp_path / "data"), seed)
    for _ in range(150):
        walk.check(walk.step())
    for name in MODES:
        walk.check(name)
        walk.ecr.delete_repository(repositoryName=name, force=True)
    assert walk.ecr.describe_repositories()["repositories"] == []
    walk.registry.close()

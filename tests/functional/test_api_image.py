"""PutImage, BatchGetImage, BatchDeleteImage (ecr-behaviour 2.3), through the SDK."""

import json

import pytest
from support.api import call
from support.aws import refused
from support.cases import cases
from support.images import (
    DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, digest_of, docker_image, docker_list, oci_artifact,
    oci_image, oci_index)
from support.refusals import ACCOUNT, TAG_PATTERN, invalid
from support.shapes import seconds

NOWHERE = "sha256:" + "0" * 64
NOT_FOUND = {"failureCode": "ImageNotFound", "failureReason": "Requested image not found"}
MISMATCH = {
    "failureCode": "ImageTagDoesNotMatchDigest",
    "failureReason": "Invalid request parameters: given tag does not map to the given digest"}
BAD_DIGEST = {
    "failureCode": "InvalidImageDigest",
    "failureReason":
        "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"}
BAD_TAG = {
    "failureCode": "InvalidImageTag",
    "failureReason": f"Invalid request parameters: image tag should satisfy the regex '{TAG_PATTERN}'"}
NEITHER = {
    "failureCode": "MissingDigestAndTag",
    "failureReason": "Invalid request parameters: both tag and digest cannot be null"}


def push_blobs(registry, repository, image):
    for blob in image.blobs:
        assert registry.push_blob(repository, blob.data).status_code == 201


def put(ecr, repository, image, tag=None, **more):
    named = {"imageTag": tag} if tag else {}
    return ecr.put_image(
        repositoryName=repository, imageManifest=image.manifest.decode(), **named, **more)["image"]


def tags_by_digest(ecr, repository):
    details = ecr.describe_images(repositoryName=repository)["imageDetails"]
    return {detail["imageDigest"]: detail.get("imageTags", []) for detail in details}


def failure(image_id, reason):
    return {"imageId": image_id} | reason


def deletion(ecr, repository, *image_ids):
    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=list(image_ids))
    return answer["imageIds"], answer["failures"]


@pytest.fixture
def images(registry, repository):
    """Three images whose blobs are there, not yet put."""
    made = [oci_image(), docker_image(), oci_image(layers=3)]
    for image in made:
        push_blobs(registry, repository, image)
    return made


# -- PutImage ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["oci image", "docker image", "artifact", "oci index", "docker list", "empty index"])
@pytest.mark.parametrize("tag", ["v1", None])
def test_put_every_kind(ecr, registry, repository, images, kind, tag):
    image = {
        "oci image": lambda: images[0], "docker image": lambda: images[1],
        "artifact": lambda: oci_artifact("application/vnd.example.sbom", subject=images[0]),
        "oci index": lambda: oci_index(images), "docker list": lambda: docker_list(images[1:2]),
        "empty index": lambda: oci_index([]),
    }[kind]()
    push_blobs(registry, repository, image)
    for child in image.children:
        put(ecr, repository, child)
    expected = {
        "registryId": ACCOUNT, "repositoryName": repository,
        "imageId": {"imageDigest": image.digest} | ({"imageTag": tag} if tag else {}),
        "imageManifest": image.manifest.decode(), "imageManifestMediaType": image.media_type,
    }
    assert put(ecr, repository, image, tag) == expected
    asked = {"imageTag": tag} if tag else {"imageDigest": image.digest}
    answer = ecr.batch_get_image(repositoryName=repository, imageIds=[asked])
    assert answer["images"] == [expected] and answer["failures"] == []
    assert registry.get_manifest(repository, tag or image.digest).content == image.manifest


def test_the_digest_is_that_of_the_very_bytes(ecr, registry, repository, images):
    """Blanks, the order of members, escapes and letters beyond ASCII are kept as they came."""
    document = images[0].document | {"annotations": {"who": "Zoë \U0001f680"}}
    texts = [
        json.dumps(document), json.dumps(document, ensure_ascii=False), json.dumps(document, indent=1),
        json.dumps(document, sort_keys=True), "\n\t" + json.dumps(document) + "\r\n "]
    for text in texts:
        answer = ecr.put_image(repositoryName=repository, imageManifest=text)["image"]
        assert answer["imageId"] == {"imageDigest": digest_of(text.encode())}
        assert answer["imageManifest"] == text
        assert registry.get_manifest(repository, digest_of(text.encode())).content == text.encode()
    assert len(ecr.describe_images(repositoryName=repository)["imageDetails"]) == len(texts)


def test_the_largest_manifest(ecr, unchecked_ecr, repository, images):
    def grown(size):
        document = images[0].document | {"annotations": {"fill": ""}}
        fill = size - len(json.dumps(document))
        document["annotations"]["fill"] = '"' * (fill // 2) + "x" * (fill % 2)  # two bytes each in JSON
        return json.dumps(document)

    largest = grown(4 << 20)
    assert len(largest) == 4_194_304
    image = ecr.put_image(repositoryName=repository, imageManifest=largest, imageTag="large")["image"]
    assert image["imageId"]["imageDigest"] == digest_of(largest.encode())
    found = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "large"}])["images"][0]
    assert found["imageManifest"] == largest
    with refused("InvalidParameterException") as error:
        unchecked_ecr.put_image(repositoryName=repository, imageManifest=grown((4 << 20) + 1))
    assert error.message == invalid("imageManifest", "Member must have length less than or equal to 4194304")


def test_the_media_type_may_be_said_beside_the_manifest(ecr, repository, images):
    bare = {name: value for name, value in images[0].document.items() if name != "mediaType"}
    answers = [
        ecr.put_image(
            repositoryName=repository, imageManifest=json.dumps(bare | {"annotations": {"kind": kind}}),
            imageManifestMediaType=kind)["image"]
        for kind in (OCI_MANIFEST, DOCKER_MANIFEST)]
    assert [answer["imageManifestMediaType"] for answer in answers] == [OCI_MANIFEST, DOCKER_MANIFEST]
    image = put(ecr, repository, images[1], imageManifestMediaType=DOCKER_MANIFEST)
    assert image["imageManifestMediaType"] == DOCKER_MANIFEST
    with refused("InvalidParameterException") as error:
        put(ecr, repository, images[0], imageManifestMediaType=DOCKER_LIST)
    assert error.message == invalid("ImageManifest", "Invalid JSON syntax")


def test_the_digest_may_be_said_too(ecr, repository, images):
    assert put(ecr, repository, images[0], "v1", imageDigest=images[0].digest)["imageId"] == {
        "imageDigest": images[0].digest, "imageTag": "v1"}
    for digest in (images[0].digest, NOWHERE, images[1].digest.upper(), "sha256:abc", "latest", ""):
        with refused("ImageDigestDoesNotMatchException") as error:
            put(ecr, repository, images[1], imageDigest=digest)
        assert error.message == (
            f"The image with digest '{digest}' in repository '{repository}' and registry ID '{ACCOUNT}' does not match "
            "the image digest that Amazon ECR has calculated.")
    assert list(tags_by_digest(ecr, repository)) == [images[0].digest]


REFUSED_MANIFESTS = {
    name: case for name, case in cases("refused-manifests").items() if name not in ("empty", "not-utf-8")}


@pytest.mark.parametrize("name", REFUSED_MANIFESTS)
def test_refused_manifests(drydock, ecr, repository, name):
    case = REFUSED_MANIFESTS[name]
    answer = call(drydock, "PutImage", {
        "repositoryName": repository, "imageManifest": case.sent.decode(), "imageTag": "v1",
        "imageManifestMediaType": case.fields["content-type"]})
    assert (answer.status, answer.code, answer.message) == (400, "InvalidParameterException", case.fields["refused"])
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


BAD_PUTS = {
    "no manifest": ({"imageManifest": None}, "imageManifest", "Member must not be null"),
    "empty manifest": (
        {"imageManifest": ""}, "imageManifest", "Member must have length greater than or equal to 1"),
    "empty tag": ({"imageTag": ""}, "imageTag", "Member must have length greater than or equal to 1"),
    "tag of 301": ({"imageTag": "t" * 301}, "imageTag", "Member must have length less than or equal to 300"),
    "tag of 129": ({"imageTag": "t" * 129}, "imageTag", f"must satisfy regular expression '{TAG_PATTERN}'"),
    "tag with a plus": ({"imageTag": "1.0+2"}, "imageTag", f"must satisfy regular expression '{TAG_PATTERN}'"),
    "tag with a dot in front": ({"imageTag": ".1"}, "imageTag", f"must satisfy regular expression '{TAG_PATTERN}'"),
    "tag of two words": ({"imageTag": "a b"}, "imageTag", f"must satisfy regular expression '{TAG_PATTERN}'"),
    "tag like a digest": ({"imageTag": NOWHERE}, "imageTag", f"must satisfy regular expression '{TAG_PATTERN}'"),
}


@pytest.mark.parametrize("case", BAD_PUTS)
def test_put_refuses(drydock, ecr, repository, images, case):
    more, member, text = BAD_PUTS[case]
    body = {"repositoryName": repository, "imageManifest": images[0].manifest.decode()}
    answer = call(drydock, "PutImage", body | more)
    assert (answer.status, answer.code, answer.message) == (400, "InvalidParameterException", invalid(member, text))
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


@pytest.mark.parametrize("tag", ["a", "_", "A.b-c_9", "t" * 128, "1.0", "latest"])
def test_good_tags(ecr, registry, repository, images, tag):
    assert put(ecr, repository, images[0], tag)["imageId"]["imageTag"] == tag
    assert registry.get_manifest(repository, tag).content == images[0].manifest


def test_missing_layers(ecr, registry, repository):
    """Every missing one is named, once; a config is a layer, too."""
    image = oci_image(layers=3)
    registry.push_blob(repository, image.layers[1].data)
    document = image.document | {"layers": image.document["layers"] + image.document["layers"][:1]}
    manifest = json.dumps(document)
    missing = [image.config.digest, image.layers[0].digest, image.layers[2].digest]
    with refused("LayersNotFoundException") as error:
        ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag="v1")
    assert error.message == (
        f"Layers with digests '[{', '.join(missing)}]' required for pushing image into repository with name "
        f"'{repository}' in the registry with id '{ACCOUNT}' do not exist")
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []
    push_blobs(registry, repository, image)
    ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag="v1")


def test_layers_of_another_repository_are_missing(ecr, registry, repository, images):
    ecr.create_repository(repositoryName="other")
    with refused("LayersNotFoundException"):
        put(ecr, "other", images[0])


def test_layers_kept_elsewhere_are_not_asked_for(ecr, registry, repository, images):
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "size": 5, "digest": NOWHERE,
        "urls": ["https://example.com/layer"]}
    document = images[1].document | {"layers": images[1].document["layers"] + [foreign]}
    image = ecr.put_image(repositoryName=repository, imageManifest=json.dumps(document), imageTag="v1")["image"]
    assert image["imageId"]["imageTag"] == "v1"


def test_missing_children(ecr, repository, images):
    put(ecr, repository, images[1], "there")
    for index in (oci_index(images), docker_list(images)):
        with refused("ReferencedImagesNotFoundException") as error:
            put(ecr, repository, index, "v1")
        assert error.message == (
            f"Images with digests '[{images[0].digest}, {images[2].digest}]' required for pushing image into "
            f"repository with name '{repository}' in the registry with id '{ACCOUNT}' do not exist")
    assert list(tags_by_digest(ecr, repository).values()) == [["there"]]


def test_an_index_of_indexes(ecr, registry, repository, images):
    put(ecr, repository, images[0])
    inner = oci_index(images[:1])
    put(ecr, repository, inner)
    put(ecr, repository, oci_index([inner]), "outer")
    assert registry.pull_image(repository, "outer")


def test_what_is_there_already(ecr, repository, images):
    image = images[0]
    put(ecr, repository, image, "v1")
    for tag in ("v1", None):
        with refused("ImageAlreadyExistsException") as error:
            put(ecr, repository, image, tag)
        assert error.message == (
            f"Image with digest '{image.digest}' and tag '{tag or 'null'}' already exists in the repository with name "
            f"'{repository}' in registry with id '{ACCOUNT}'")
    put(ecr, repository, image, "v2")
    assert tags_by_digest(ecr, repository) == {image.digest: ["v1", "v2"]}


def test_a_tag_moves_and_leaves_the_old_image(ecr, registry, repository, images):
    old, new = images[:2]
    put(ecr, repository, old, "latest")
    put(ecr, repository, new, "latest")
    assert tags_by_digest(ecr, repository) == {old.digest: [], new.digest: ["latest"]}
    assert registry.pull_image(repository, old.digest) == old.manifest
    put(ecr, repository, old, "latest")
    assert tags_by_digest(ecr, repository) == {old.digest: ["latest"], new.digest: []}


def test_pushed_at_stays_when_a_tag_comes_or_goes(drydock, ecr, repository, images):
    def pushed_at():
        asked = [{"imageDigest": image.digest}]
        detail, = ecr.describe_images(repositoryName=repository, imageIds=asked)["imageDetails"]
        return seconds(detail["imagePushedAt"])

    image = images[0]
    drydock.set_clock("2026-03-01T12:00:00Z")
    put(ecr, repository, image, "v1")
    first = pushed_at()
    assert 1772366400 <= first < 1772366460
    drydock.advance(86400)
    put(ecr, repository, image, "v2")
    put(ecr, repository, images[1], "v1")
    deletion(ecr, repository, {"imageDigest": images[1].digest})
    assert pushed_at() == first
    deletion(ecr, repository, {"imageDigest": image.digest})
    put(ecr, repository, image, "v1")
    assert first + 86400 <= pushed_at() < first + 86460


TAG_EXISTS = (
    "The image tag '{}' already exists in the '{}' repository and cannot be overwritten because the tag is immutable.")


@pytest.mark.parametrize("mode, filters, movable, fixed", [
    ("MUTABLE", [], ["latest", "v1"], []),
    ("IMMUTABLE", [], [], ["latest", "v1"]),
    ("IMMUTABLE_WITH_EXCLUSION", ["latest", "dev-*", "*-rc*"], ["latest", "dev-", "dev-1", "1-rc", "1-rc2"],
     ["latest2", "xlatest", "dev", "v1", "Latest"]),
    ("MUTABLE_WITH_EXCLUSION", ["v*", "release.1"], ["latest", "1v", "releasex1"], ["v", "v1.0", "release.1"]),
])
def test_which_tags_may_move(ecr, registry, mode, filters, movable, fixed):
    options = {"imageTagMutabilityExclusionFilters": [
        {"filterType": "WILDCARD", "filter": one} for one in filters]} if filters else {}
    ecr.create_repository(repositoryName="app", imageTagMutability=mode, **options)
    old, new = oci_image(), oci_image()
    for image in (old, new):
        push_blobs(registry, "app", image)
    for tag in movable + fixed:
        put(ecr, "app", old, tag)
    for tag in movable:
        put(ecr, "app", new, tag)
    for tag in fixed:
        with refused("ImageTagAlreadyExistsException") as error:
            put(ecr, "app", new, tag)
        assert error.message == TAG_EXISTS.format(tag, "app")
        with refused("ImageAlreadyExistsException"):  # of the same image it is another refusal
            put(ecr, "app", old, tag)
    expected = {image.digest: sorted(tags) for image, tags in ((old, fixed), (new, movable)) if tags or image is old}
    assert {digest: sorted(tags) for digest, tags in tags_by_digest(ecr, "app").items()} == expected
    # Deleting a tag is always allowed, and then it is free.
    for tag in fixed:
        assert deletion(ecr, "app", {"imageTag": tag})[1] == []
        put(ecr, "app", new, tag)


def test_a_thousand_tags_are_the_most(drydock, ecr, repository, images):
    body = {"repositoryName": repository, "imageManifest": images[0].manifest.decode()}
    for i in range(1000):
        assert call(drydock, "PutImage", body | {"imageTag": f"t{i:03}"}).status == 200
    answer = call(drydock, "PutImage", body | {"imageTag": "one-more"})
    assert (answer.status, answer.code) == (400, "LimitExceededException")
    assert answer.message == (
        "The maximum number of tags per image (1000) has been reached in the repository with name 'team/app' in the "
        f"registry with id '{ACCOUNT}'")
    assert [len(tags) for tags in tags_by_digest(ecr, repository).values()] == [1000]
    assert len(ecr.batch_get_image(
        repositoryName=repository, imageIds=[{"imageDigest": images[0].digest}])["images"]) == 1000
    gone, failures = deletion(ecr, repository, {"imageDigest": images[0].digest})
    assert len(gone) == 1000 and failures == []


def test_put_by_api_and_by_docker_are_one(ecr, registry, repository, images):
    image = images[0]
    registry.put_manifest(repository, "pushed", image.manifest, image.media_type)
    put(ecr, repository, image, "put")
    assert registry.put_manifest(repository, "put", image.manifest, image.media_type).status_code == 201
    assert tags_by_digest(ecr, repository) == {image.digest: ["pushed", "put"]}


# -- BatchGetImage ----------------------------------------------------------------------------------------------------

@pytest.fixture
def tagged(ecr, repository, images):
    """images[0] is "one" and "uno", images[1] is "two", images[2] has no tag."""
    for image, tag in ((images[0], "one"), (images[0], "uno"), (images[1], "two"), (images[2], None)):
        put(ecr, repository, image, tag)
    return images


def got(ecr, repository, *image_ids, **more):
    answer = ecr.batch_get_image(repositoryName=repository, imageIds=list(image_ids), **more)
    for image in answer["images"]:
        assert digest_of(image["imageManifest"].encode()) == image["imageId"]["imageDigest"]
    return [image["imageId"] for image in answer["images"]], answer["failures"]


def test_get_by_tag_and_by_digest(ecr, repository, tagged):
    one, two, three = (image.digest for image in tagged)
    assert got(ecr, repository, {"imageTag": "one"}) == ([{"imageDigest": one, "imageTag": "one"}], [])
    assert got(ecr, repository, {"imageDigest": three}) == ([{"imageDigest": three}], [])
    assert got(ecr, repository, {"imageDigest": two}) == ([{"imageDigest": two, "imageTag": "two"}], [])
    both = [{"imageDigest": one, "imageTag": "one"}, {"imageDigest": one, "imageTag": "uno"}]
    assert got(ecr, repository, {"imageDigest": one}) == (both, [])
    assert got(ecr, repository, {"imageDigest": one, "imageTag": "uno"}) == (both[1:], [])
    asked = {"imageTag": "two"}, {"imageDigest": three}, {"imageTag": "one"}
    assert got(ecr, repository, *asked)[0] == [
        {"imageDigest": two, "imageTag": "two"}, {"imageDigest": three}, {"imageDigest": one, "imageTag": "one"}]


def failing_ids(one, two):
    """Image ids, and the failure of each; one and two are digests of images tagged one and two."""
    return [
        ({"imageTag": "three"}, NOT_FOUND),
        ({"imageTag": "One"}, NOT_FOUND),
        ({"imageDigest": NOWHERE}, NOT_FOUND),
        ({"imageDigest": "md5:abc"}, NOT_FOUND),
        ({"imageDigest": "sha256:abc"}, NOT_FOUND),
        ({"imageDigest": one, "imageTag": "three"}, NOT_FOUND),
        ({"imageDigest": one, "imageTag": "two"}, MISMATCH),
        ({"imageDigest": NOWHERE, "imageTag": "two"}, MISMATCH),
        ({"imageDigest": "latest"}, BAD_DIGEST),
        ({"imageDigest": "sha256:"}, BAD_DIGEST),
        ({"imageDigest": ":abc"}, BAD_DIGEST),
        ({"imageDigest": "sha256:xyz"}, BAD_DIGEST),
        ({"imageDigest": ""}, BAD_DIGEST),
        ({"imageDigest": "no digest", "imageTag": "one"}, BAD_DIGEST),
        ({"imageTag": "a b"}, BAD_TAG),
        ({"imageTag": "t" * 129}, BAD_TAG),
        ({}, NEITHER),
    ]


def test_failures_of_get(ecr, repository, tagged):
    ids = failing_ids(tagged[0].digest, tagged[1].digest)
    for image_id, reason in ids:
        assert got(ecr, repository, image_id) == ([], [failure(image_id, reason)])
    # Together, with some that succeed: each has its answer, in order.
    mixed = [{"imageTag": "two"}, *(image_id for image_id, _ in ids), {"imageTag": "one"}]
    found, failures = got(ecr, repository, *mixed)
    assert [image_id["imageTag"] for image_id in found] == ["two", "one"]
    assert failures == [failure(image_id, reason) for image_id, reason in ids]


def test_get_the_same_twice(ecr, repository, tagged):
    found, failures = got(ecr, repository, {"imageTag": "one"}, {"imageTag": "one"})
    assert {json.dumps(image_id, sort_keys=True) for image_id in found} == {
        json.dumps({"imageDigest": tagged[0].digest, "imageTag": "one"}, sort_keys=True)}
    assert failures == []


def test_get_by_tag_wants_a_type_that_is_accepted(ecr, repository, tagged):
    image_id, both = {"imageTag": "one"}, {"imageTag": "one", "imageDigest": tagged[0].digest}
    found, failures = got(ecr, repository, image_id, acceptedMediaTypes=[OCI_INDEX])
    assert found == [] and failures == [failure(image_id, NOT_FOUND)]
    for asked, types in ((image_id, [OCI_INDEX, tagged[0].media_type]), (both, [OCI_INDEX])):
        assert got(ecr, repository, asked, acceptedMediaTypes=types)[0] == [both]


@pytest.mark.parametrize("operation", ["BatchGetImage", "BatchDeleteImage"])
@pytest.mark.parametrize("more, member, text", [
    ({"imageIds": None}, "imageIds", "Member must not be null"),
    ({"imageIds": []}, "imageIds", "Member must have length greater than or equal to 1"),
    ({"imageIds": [{"imageTag": "v1"}] * 101}, "imageIds", "Member must have length less than or equal to 100"),
    ({"imageIds": [{"imageTag": "v1"}, {"imageTag": ""}]}, "imageIds.2.member.imageTag",
     "Member must have length greater than or equal to 1"),
    ({"imageIds": [{"imageTag": "t" * 301}]}, "imageIds.1.member.imageTag",
     "Member must have length less than or equal to 300"),
    ({"imageIds": [{"imageTag": "v1"}], "registryId": "me"}, "registryId", "must satisfy regular expression [0-9]{12}"),
])
def test_batches_refuse(drydock, repository, operation, more, member, text):
    answer = call(drydock, operation, {"repositoryName": repository} | more)
    assert (answer.status, answer.code, answer.message) == (400, "InvalidParameterException", invalid(member, text))


def test_a_hundred_ids(ecr, repository, tagged):
    ids = [{"imageTag": f"none-{i}"} for i in range(99)] + [{"imageTag": "one"}]
    found, failures = got(ecr, repository, *ids)
    assert len(found) == 1 and failures == [failure(image_id, NOT_FOUND) for image_id in ids[:99]]


def test_an_answer_too_large(drydock, ecr, repository, images):
    """Five times the largest manifest: refused in words, and fewer of them are given."""
    largest = images[0].document | {"annotations": {"fill": "x" * ((4 << 20) - 2000)}}
    tags = [f"t{i:02}" for i in range(5)]
    for tag in tags:
        body = {"repositoryName": repository, "imageManifest": json.dumps(largest), "imageTag": tag}
        assert call(drydock, "PutImage", body).status == 200
    with refused("LimitExceededException") as error:
        ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag} for tag in tags])
    assert error.message == "The answer would be larger than 16 MiB. Ask for fewer items at a time."
    found, failures = got(ecr, repository, *({"imageTag": tag} for tag in tags[:3]))
    assert len(found) == 3 and failures == []


def test_a_repository_does_not_see_anothers_images(ecr, registry, repository, tagged):
    ecr.create_repository(repositoryName="other")
    for image_id in ({"imageTag": "one"}, {"imageDigest": tagged[0].digest}):
        assert got(ecr, "other", image_id) == ([], [failure(image_id, NOT_FOUND)])
        assert deletion(ecr, "other", image_id) == ([], [failure(image_id, NOT_FOUND)])


# -- BatchDeleteImage -------------------------------------------------------------------------------------------------

def test_delete_a_tag_and_then_the_last(ecr, registry, repository, tagged):
    one = tagged[0].digest
    assert deletion(ecr, repository, {"imageTag": "one"}) == ([{"imageDigest": one, "imageTag": "one"}], [])
    assert tags_by_digest(ecr, repository)[one] == ["uno"]
    assert deletion(ecr, repository, {"imageTag": "one"}) == ([], [failure({"imageTag": "one"}, NOT_FOUND)])
    assert deletion(ecr, repository, {"imageTag": "uno"}) == ([{"imageDigest": one, "imageTag": "uno"}], [])
    assert one not in tags_by_digest(ecr, repository)
    assert registry.get_manifest(repository, one).status_code == 404


def test_delete_by_digest_takes_all_tags(ecr, repository, tagged):
    one, two, three = (image.digest for image in tagged)
    gone, failures = deletion(ecr, repository, {"imageDigest": one})
    assert gone == [{"imageDigest": one, "imageTag": "one"}, {"imageDigest": one, "imageTag": "uno"}]
    assert failures == []
    assert deletion(ecr, repository, {"imageDigest": three}) == ([{"imageDigest": three}], [])
    assert tags_by_digest(ecr, repository) == {two: ["two"]}


def test_delete_by_both(ecr, repository, tagged):
    one, two, three = (image.digest for image in tagged)
    both = {"imageDigest": one, "imageTag": "one"}
    assert deletion(ecr, repository, both) == ([both], [])
    assert tags_by_digest(ecr, repository) == {one: ["uno"], two: ["two"], three: []}


def test_failures_of_delete(ecr, repository, tagged):
    before = tags_by_digest(ecr, repository)
    ids = failing_ids(tagged[0].digest, tagged[1].digest)
    for image_id, reason in ids:
        assert deletion(ecr, repository, image_id) == ([], [failure(image_id, reason)])
    assert tags_by_digest(ecr, repository) == before
    mixed = [*(image_id for image_id, _ in ids), {"imageTag": "uno"}]
    gone, failures = deletion(ecr, repository, *mixed)
    assert gone == [{"imageDigest": tagged[0].digest, "imageTag": "uno"}]
    assert failures == [failure(image_id, reason) for image_id, reason in ids]


def test_delete_the_same_twice_in_one_request(ecr, repository, tagged):
    one, two = tagged[0].digest, tagged[1].digest
    two_id = {"imageDigest": two, "imageTag": "two"}
    assert deletion(ecr, repository, {"imageTag": "two"}, {"imageTag": "two"}) == ([two_id], [])
    gone, failures = deletion(ecr, repository, {"imageDigest": one}, {"imageTag": "one"}, {"imageDigest": one})
    assert gone == [{"imageDigest": one, "imageTag": "one"}, {"imageDigest": one, "imageTag": "uno"}]
    assert failures == []
    assert list(tags_by_digest(ecr, repository)) == [tagged[2].digest]


def test_deleted_images_can_be_pushed_again(ecr, registry, repository, tagged):
    image = tagged[0]
    deletion(ecr, repository, {"imageDigest": image.digest})
    registry.push_image(repository, image, "again")
    assert registry.pull_image(repository, "again") == image.manifest
    assert tags_by_digest(ecr, repository)[image.digest] == ["again"]


def referenced(*parents):
    return {
        "failureCode": "ImageReferencedByManifestList",
        "failureReason": f"Requested image referenced by manifest list: [{', '.join(parents)}]"}


def test_children_of_an_index_are_protected(ecr, registry, repository, tagged):
    one, two, three = (image.digest for image in tagged)
    index, other = oci_index(tagged[:2]), docker_list(tagged[:1])
    put(ecr, repository, index, "multi")
    put(ecr, repository, other)
    parents = sorted([index.digest, other.digest])
    by_digest = {"imageDigest": one}
    assert deletion(ecr, repository, by_digest)[1] == [failure(by_digest, referenced(*parents))]
    # One of two tags may go, the last may not: it would take the image with it.
    assert deletion(ecr, repository, {"imageTag": "one"})[1] == []
    last = {"imageTag": "uno"}
    assert deletion(ecr, repository, last) == ([], [failure(last, referenced(*parents))])
    assert tags_by_digest(ecr, repository)[one] == ["uno"]
    # Items are handled in order: the parents first, then the child.
    gone, failures = deletion(
        ecr, repository, {"imageDigest": two}, {"imageTag": "multi"}, {"imageDigest": other.digest},
        {"imageTag": "uno"})
    assert failures == [failure({"imageDigest": two}, referenced(index.digest))]
    assert gone == [
        {"imageDigest": index.digest, "imageTag": "multi"}, {"imageDigest": other.digest},
        {"imageDigest": one, "imageTag": "uno"}]
    assert tags_by_digest(ecr, repository) == {two: ["two"], three: []}


def test_a_moved_tag_does_not_unprotect_children(ecr, repository, tagged):
    index = oci_index(tagged[:1])
    put(ecr, repository, index, "multi")
    put(ecr, repository, tagged[1], "multi")
    child = {"imageDigest": tagged[0].digest}
    assert deletion(ecr, repository, child)[1] == [failure(child, referenced(index.digest))]


def test_a_subject_is_not_protected(ecr, registry, repository, tagged):
    artifact = oci_artifact("application/vnd.example.sbom", subject=tagged[0])
    registry.push_image(repository, artifact)
    assert deletion(ecr, repository, {"imageDigest": tagged[0].digest})[1] == []
    assert registry.get_manifest(repository, artifact.digest).status_code == 200

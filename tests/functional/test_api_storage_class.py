"""The archive: UpdateImageStorageClass, and what is (not) to be had of an archived image (ecr-behaviour 8.8)."""

import pytest
from support.api import call, pages
from support.aws import refused
from support.images import oci_artifact, oci_image, oci_index
from support.refusals import ACCOUNT, not_found
from support.shapes import seconds

NOON = 1772366400  # 2026-03-01T12:00:00Z
NOWHERE = "sha256:" + "0" * 64
ACTIVATION = 61


def archive(ecr, repository, **image_id):
    return ecr.update_image_storage_class(repositoryName=repository, imageId=image_id, targetStorageClass="ARCHIVE")


def restore(ecr, repository, **image_id):
    return ecr.update_image_storage_class(repositoryName=repository, imageId=image_id, targetStorageClass="STANDARD")


def listed(ecr, repository, **image_filter):
    more = {"filter": image_filter} if image_filter else {}
    ids = ecr.list_images(repositoryName=repository, **more)["imageIds"]
    details = ecr.describe_images(repositoryName=repository, **more)["imageDetails"]
    assert {i["imageDigest"] for i in ids} == {d["imageDigest"] for d in details}
    return {detail["imageDigest"]: detail for detail in details}


def pulled(ecr, registry, repository, image, tag):
    """Whether each door has it, by tag and by digest; fails when they differ."""
    answers = [registry.get_manifest(repository, reference).status_code for reference in (tag, image.digest)]
    answers += [registry.get_manifest(repository, tag, method="HEAD").status_code]
    for image_id in ({"imageTag": tag}, {"imageDigest": image.digest}):
        found = ecr.batch_get_image(repositoryName=repository, imageIds=[image_id])
        assert bool(found["images"]) != bool(found["failures"])
        assert all(failure["failureCode"] == "ImageNotFound" for failure in found["failures"])
        answers.append(200 if found["images"] else 404)
    assert len(set(answers)) == 1, answers
    return answers[0] == 200


@pytest.fixture
def image(registry, repository):
    image = oci_image()
    registry.push_image(repository, image, "v1")
    return image


def test_there_and_back(drydock, ecr, registry, repository, image):
    drydock.set_clock("2026-03-01T12:00:00Z")
    answer = archive(ecr, repository, imageTag="v1")
    del answer["ResponseMetadata"]
    assert answer == {
        "registryId": ACCOUNT, "repositoryName": repository, "imageStatus": "ARCHIVED",
        "imageId": {"imageDigest": image.digest, "imageTag": "v1"}}
    assert not pulled(ecr, registry, repository, image, "v1")
    assert listed(ecr, repository) == {}
    detail = listed(ecr, repository, imageStatus="ARCHIVED")[image.digest]
    assert detail["imageStatus"] == "ARCHIVED" and detail["imageTags"] == ["v1"]
    assert NOON <= seconds(detail["lastArchivedAt"]) < NOON + 60 and "lastActivatedAt" not in detail

    assert restore(ecr, repository, imageDigest=image.digest)["imageStatus"] == "ACTIVATING"
    assert not pulled(ecr, registry, repository, image, "v1")
    assert list(listed(ecr, repository, imageStatus="ACTIVATING")) == [image.digest]
    assert listed(ecr, repository) == listed(ecr, repository, imageStatus="ARCHIVED") == {}

    drydock.advance(ACTIVATION)
    assert pulled(ecr, registry, repository, image, "v1")
    detail = listed(ecr, repository)[image.digest]
    assert detail["imageStatus"] == "ACTIVE"
    assert NOON + 60 <= seconds(detail["lastActivatedAt"]) < NOON + 120
    assert NOON <= seconds(detail["lastArchivedAt"]) < NOON + 60
    assert archive(ecr, repository, imageTag="v1")["imageStatus"] == "ARCHIVED"


def test_a_push_restores_at_once(ecr, registry, repository, image):
    archive(ecr, repository, imageTag="v1")
    registry.push_image(repository, image, "v1", "v2")
    assert pulled(ecr, registry, repository, image, "v2")
    detail = listed(ecr, repository)[image.digest]
    assert detail["imageTags"] == ["v1", "v2"] and "lastActivatedAt" in detail
    archive(ecr, repository, imageTag="v1")
    ecr.put_image(
        repositoryName=repository, imageManifest=image.manifest.decode(), imageManifestMediaType=image.media_type,
        imageTag="v1")
    assert pulled(ecr, registry, repository, image, "v1")
    assert listed(ecr, repository, imageStatus="ARCHIVED") == {}


def test_layers_of_archived_images(drydock, ecr, registry, repository, image):
    other = oci_image(layers=[image.layers[0]])
    registry.push_image(repository, other, "other")

    def availability():
        layers = ecr.batch_check_layer_availability(
            repositoryName=repository, layerDigests=[image.layers[0].digest, image.config.digest])["layers"]
        return [layer["layerAvailability"] for layer in layers]

    archive(ecr, repository, imageTag="v1")
    assert availability() == ["AVAILABLE", "ARCHIVED"]
    with refused("LayerInaccessibleException"):
        ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=image.config.digest)
    archive(ecr, repository, imageTag="other")
    assert availability() == ["ARCHIVED", "ARCHIVED"]
    restore(ecr, repository, imageTag="v1")
    drydock.advance(ACTIVATION)
    assert availability() == ["AVAILABLE", "AVAILABLE"]


def test_filters_and_pages(drydock, ecr, registry, repository):
    made = [oci_image() for _ in range(9)]
    for at, image in enumerate(made):
        registry.push_image(repository, image, *([f"t{at}"] if at % 2 else []))
    for image in made[:6]:
        archive(ecr, repository, imageDigest=image.digest)
    for image in made[:3]:
        restore(ecr, repository, imageDigest=image.digest)
    expected = {"ACTIVATING": made[:3], "ARCHIVED": made[3:6], "ACTIVE": made[6:], "ANY": made}
    for status, images in expected.items():
        for tags in ("ANY", "TAGGED", "UNTAGGED"):
            wanted = sorted(
                image.digest for image in images if tags == "ANY" or (tags == "TAGGED") == (made.index(image) % 2 == 1))
            arguments = {"repositoryName": repository, "filter": {"imageStatus": status, "tagStatus": tags},
                         "maxResults": 2}
            described = [d for page in pages(ecr.describe_images, "imageDetails", **arguments) for d in page]
            assert [d["imageDigest"] for d in described] == wanted, (status, tags)
            found = [i["imageDigest"] for page in pages(ecr.list_images, "imageIds", **arguments) for i in page]
            assert found == wanted, (status, tags)


def test_a_token_is_good_for_one_status(ecr, registry, repository):
    for _ in range(3):
        registry.push_image(repository, oci_image())
    token = ecr.list_images(repositoryName=repository, maxResults=1)["nextToken"]
    with refused("InvalidParameterException"):
        ecr.list_images(repositoryName=repository, nextToken=token, filter={"imageStatus": "ANY"})


def test_explicit_ids_find_what_is_archived(ecr, repository, image):
    archive(ecr, repository, imageTag="v1")
    for image_id in ({"imageTag": "v1"}, {"imageDigest": image.digest}):
        detail, = ecr.describe_images(repositoryName=repository, imageIds=[image_id])["imageDetails"]
        assert detail["imageStatus"] == "ARCHIVED"


def test_archived_images_can_be_deleted(ecr, repository, image):
    archive(ecr, repository, imageTag="v1")
    gone = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    assert gone["imageIds"] == [{"imageDigest": image.digest, "imageTag": "v1"}]
    assert listed(ecr, repository, imageStatus="ANY") == {}
    ecr.delete_repository(repositoryName=repository)


def test_a_repository_with_archived_images(drydock, ecr, repository, image):
    archive(ecr, repository, imageTag="v1")
    with refused("RepositoryNotEmptyException"):
        ecr.delete_repository(repositoryName=repository)
    restore(ecr, repository, imageTag="v1")
    ecr.delete_repository(repositoryName=repository, force=True)
    drydock.advance(ACTIVATION)
    ecr.create_repository(repositoryName=repository)
    assert listed(ecr, repository, imageStatus="ANY") == {}


def test_a_tag_moves_off_an_archived_image(ecr, registry, repository, image):
    archive(ecr, repository, imageTag="v1")
    other = oci_image()
    registry.push_image(repository, other, "v1")
    assert pulled(ecr, registry, repository, other, "v1")
    assert "imageTags" not in listed(ecr, repository, imageStatus="ARCHIVED")[image.digest]


def test_children_wait_for_their_list(drydock, ecr, registry, repository):
    children = [oci_image(), oci_image()]
    index = oci_index(children)
    registry.push_image(repository, index, "multi")
    with refused("ImageStorageClassUpdateNotSupportedException") as error:
        archive(ecr, repository, imageDigest=children[0].digest)
    assert "list" in error.message
    archive(ecr, repository, imageTag="multi")
    archive(ecr, repository, imageDigest=children[0].digest)
    assert list(listed(ecr, repository)) == [children[1].digest]


def test_referrers_follow_their_subject(drydock, ecr, registry, repository, image):
    signature = oci_artifact("application/vnd.example.signature", subject=image)
    registry.push_image(repository, signature)
    of_signature = oci_artifact("application/vnd.example.signature", subject=signature)
    registry.push_image(repository, of_signature)
    with refused("ImageStorageClassUpdateNotSupportedException"):
        archive(ecr, repository, imageDigest=signature.digest)
    archive(ecr, repository, imageTag="v1")
    assert set(listed(ecr, repository, imageStatus="ARCHIVED")) == {
        image.digest, signature.digest, of_signature.digest}
    restore(ecr, repository, imageTag="v1")
    drydock.advance(ACTIVATION)
    assert set(listed(ecr, repository)) == {image.digest, signature.digest, of_signature.digest}


def test_what_is_not_supported(drydock, ecr, repository, image):
    with refused("ImageStorageClassUpdateNotSupportedException"):
        restore(ecr, repository, imageTag="v1")
    archive(ecr, repository, imageTag="v1")
    with refused("ImageStorageClassUpdateNotSupportedException"):
        archive(ecr, repository, imageTag="v1")
    restore(ecr, repository, imageTag="v1")
    for again in (archive, restore):
        with refused("ImageStorageClassUpdateNotSupportedException"):
            again(ecr, repository, imageTag="v1")


def test_images_that_are_not_there(ecr, repository, image):
    other = {"imageDigest": NOWHERE, "imageTag": "v1"}
    for image_id in ({"imageDigest": NOWHERE}, {"imageTag": "nothing"}, other, {"imageDigest": "md5:" + "0" * 32}):
        with refused("ImageNotFoundException") as error:
            archive(ecr, repository, **image_id)
        assert f"imageDigest:'{image_id.get('imageDigest', 'null')}'" in error.message
        assert f"imageTag:'{image_id.get('imageTag', 'null')}'" in error.message
    with refused("RepositoryNotFoundException") as error:
        archive(ecr, "nobody/here", imageTag="v1")
    assert error.message == not_found("nobody/here")


@pytest.mark.parametrize("members", [
    {"imageId": {}, "targetStorageClass": "ARCHIVE"},
    {"imageId": {"imageTag": "+"}, "targetStorageClass": "ARCHIVE"},
    {"imageId": {"imageDigest": "nothing"}, "targetStorageClass": "ARCHIVE"},
    {"imageId": {"imageTag": "v1"}, "targetStorageClass": "GLACIER"},
    {"imageId": {"imageTag": "v1"}},
])
def test_parameters_are_checked(drydock, repository, members):
    answer = call(drydock, "UpdateImageStorageClass", {"repositoryName": repository} | members)
    assert answer.code in ("InvalidParameterException", "ValidationException")


def test_an_activation_survives_the_process(make_server, tmp_path):
    server = make_server(data=tmp_path / "data")
    ecr, registry, image = server.ecr(), server.registry(), oci_image()
    ecr.create_repository(repositoryName="app")
    registry.push_image("app", image, "v1")
    archive(ecr, "app", imageTag="v1")
    restore(ecr, "app", imageTag="v1")
    server.restart(kill=True)
    server.advance(ACTIVATION)
    assert list(listed(server.ecr(), "app")) == [image.digest]
    registry.close()

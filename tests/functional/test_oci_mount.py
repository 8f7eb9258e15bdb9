"""Mounts as ECR does them: BLOB_MOUNTING, and what it asks of the source (ecr-behaviour 6.5); and as profile oci does."""

import pytest
from support.images import digest_of, oci_image

SOURCE, TARGET = "team/source", "team/target"
LOOSE = b"a blob that no image has"


@pytest.fixture
def held(ecr, registry):
    """The digest of a layer of an image in SOURCE; there is LOOSE, too. BLOB_MOUNTING is on."""
    for name in (SOURCE, TARGET):
        ecr.create_repository(repositoryName=name)
    image = oci_image()
    registry.push_image(SOURCE, image, "v1")
    registry.push_blob(SOURCE, LOOSE)
    ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    return image.layers[0].digest


def mount(registry, digest, repository=TARGET, **query):
    answer = registry.start_upload(repository, mount=digest, **query)
    if answer.status_code == 201:
        assert answer.headers["Location"] == f"/v2/{repository}/blobs/{digest}"
        assert answer.headers["Docker-Content-Digest"] == digest
    else:
        assert "/blobs/uploads/" in answer.headers["Location"]
        assert registry.head_blob(repository, digest).status_code == 404
    return answer.status_code


def test_a_layer_of_an_image(ecr, registry, held):
    assert mount(registry, held, **{"from": SOURCE}) == 201
    assert registry.head_blob(TARGET, held).status_code == 200
    ecr.put_account_setting(name="BLOB_MOUNTING", value="DISABLED")
    assert registry.head_blob(TARGET, held).status_code == 200  # mounts made before stay
    ecr.create_repository(repositoryName="team/later")
    assert mount(registry, held, "team/later", **{"from": SOURCE}) == 202


def test_off_by_default(ecr, registry):
    for name in (SOURCE, TARGET):
        ecr.create_repository(repositoryName=name)
    image = oci_image()
    registry.push_image(SOURCE, image, "v1")
    assert mount(registry, image.layers[0].digest, **{"from": SOURCE}) == 202


def test_what_cannot_be_mounted(ecr, registry, held):
    ecr.create_repository(repositoryName="team/kms", encryptionConfiguration={"encryptionType": "KMS"})
    assert mount(registry, digest_of(LOOSE), **{"from": SOURCE}) == 202  # no image has it
    assert mount(registry, held) == 202  # from where?
    assert mount(registry, held, **{"from": "team/none"}) == 202
    assert mount(registry, held, **{"from": "Team"}) == 202
    assert mount(registry, held, "team/kms", **{"from": SOURCE}) == 202  # encrypted in another way
    assert registry.start_upload("team/none", mount=held, **{"from": SOURCE}).status_code == 404


def test_not_once_the_image_is_gone(registry, held):
    assert registry.request("DELETE", f"{SOURCE}/manifests/v1").status_code == 202
    assert mount(registry, held, **{"from": SOURCE}) == 202


def test_not_across_registries(drydock, held):
    drydock.ecr(region="eu-west-1").create_repository(repositoryName=TARGET)
    drydock.ecr(region="eu-west-1").put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    elsewhere = drydock.registry(login=drydock.token(region="eu-west-1"))
    assert mount(elsewhere, held, **{"from": SOURCE}) == 202
    elsewhere.close()


@pytest.mark.parametrize("region, status", [("us-east-1", 201), ("eu-west-1", 202)])
def test_content_is_found_in_the_same_registry_only(make_server, region, status):
    """Profile oci, without `from`."""
    server = make_server("--profile", "oci")
    server.registry().push_blob(SOURCE, LOOSE)
    registry = server.registry(login=server.token(region=region))
    assert mount(registry, digest_of(LOOSE), "made/by-a-mount") == status
    registry.close()


def test_a_push_after_mounts(registry, held):
    """An image of mounted layers is whole."""
    image = oci_image()
    registry.push_image(SOURCE, image, "v2")
    for blob in image.blobs:
        assert mount(registry, blob.digest, **{"from": SOURCE}) == 201
    answer = registry.put_manifest(TARGET, "v2", image.manifest, image.media_type)
    assert answer.status_code == 201, answer.text
    assert registry.request("DELETE", f"{SOURCE}/manifests/v2").status_code == 202
    registry.pull_image(TARGET, "v2")


MADE = "made/by-a-post"
NOWHERE = digest_of(b"content that no repository has")


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("asked, status", [(digest_of(LOOSE), 201), (NOWHERE, 202), (None, 202)])
@pytest.mark.parametrize("whole", [False, True])
def test_a_post_goes_through_all_its_steps(make_server, there, asked, status, whole):
    """Profile oci: the repository is made, the mount is tried, then a session begins, or takes the whole blob."""
    registry = make_server("--profile", "oci").registry()
    registry.push_blob(SOURCE, LOOSE)
    if there:
        registry.push_blob(MADE, b"before")
    query = {"mount": asked, "from": SOURCE} if asked else {}
    content = b"the whole blob"
    if whole:
        query["digest"] = digest_of(content)
    answer = registry.request("POST", f"{MADE}/blobs/uploads/", params=query, data=content if whole else b"")
    assert answer.status_code == (201 if whole else status), answer.text
    mounted = asked and status == 201
    if answer.status_code == 202:
        assert registry.finish_upload(answer.headers["Location"], digest_of(content), content).status_code == 201
    assert registry.head_blob(MADE, digest_of(LOOSE)).status_code == (200 if mounted else 404)
    assert registry.head_blob(MADE, digest_of(content)).status_code == (404 if mounted else 200)
    registry.close()


@pytest.mark.parametrize("query", [{"digest": "sha256:12"}, {"digest-algorithm": "md5"}])
def test_a_post_that_is_refused_makes_no_repository(make_server, query):
    registry = make_server("--profile", "oci").registry()
    assert registry.start_upload(MADE, **query).status_code == 400
    assert MADE not in registry.request("GET", "_catalog").text
    registry.close()


def test_a_mount_into_a_repository_that_only_a_template_makes(ecr, registry, held):
    ecr.create_repository_creation_template(prefix="made", appliedFor=["CREATE_ON_PUSH"])
    assert mount(registry, held, MADE, **{"from": SOURCE}) == 201
    assert registry.start_upload("other/one", mount=held, **{"from": SOURCE}).status_code == 404
    assert [r["repositoryName"] for r in ecr.describe_repositories()["repositories"]] == [MADE, SOURCE, TARGET]

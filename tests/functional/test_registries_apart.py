"""Accounts and regions: nothing of one registry is seen in another, or gets there by itself, blobs included."""

import json

import pytest
from support.aws import refused
from support.images import oci_artifact, oci_image, random_layer
from support.server import Server

ACCOUNT, REGION = "111111111111", "us-east-1"
ELSEWHERE = {
    "another account": ("222222222222", REGION),
    "another region": (ACCOUNT, "eu-west-1"),
    "both": ("222222222222", "eu-west-1"),
    "another partition": (ACCOUNT, "cn-north-1"),
}
PROFILES = {"ecr": (), "oci": ("--profile", "oci")}


@pytest.fixture(scope="module", params=PROFILES)
def server(request, tmp_path_factory):
    server = Server(*PROFILES[request.param], folder=tmp_path_factory.mktemp("apart"))
    server.start()
    yield server
    server.stop()


class Place:
    """A registry: its API, its door for clients, its repository "app"."""

    def __init__(self, server, account, region):
        place = {"access_key": account, "region": region}
        self.account, self.ecr = account, server.ecr(**place)
        self.registry = server.registry(server.token(**place))
        self.ecr.create_repository(repositoryName="app")


@pytest.fixture
def home(server):
    """Has an image, v1, a referrer of it, and a blob that no image has."""
    server.reset()
    home = Place(server, ACCOUNT, REGION)
    home.image = oci_image(size=50_000)
    home.registry.push_image("app", home.image, "v1")
    home.referrer = oci_artifact("application/vnd.example", home.image)
    home.registry.push_image("app", home.referrer)
    home.loose = random_layer(30_000)
    home.registry.push_blob("app", home.loose.data)
    home.blobs = [blob.digest for blob in home.image.blobs] + [home.loose.digest]
    yield home
    home.registry.close()


@pytest.fixture(params=ELSEWHERE)
def away(server, home, request):
    away = Place(server, *ELSEWHERE[request.param])
    yield away
    away.registry.close()


def test_at_home_all_of_it_is_there(home):
    """So that the others say something."""
    for digest in home.blobs:
        assert home.registry.head_blob("app", digest).status_code == 200
    assert home.registry.request("GET", "app/manifests/v1").status_code == 200
    referrers = home.registry.request("GET", f"app/referrers/{home.image.digest}").json()["manifests"]
    assert [one["digest"] for one in referrers] == [home.referrer.digest]


def test_pulls(home, away):
    for digest in home.blobs:
        assert away.registry.head_blob("app", digest).status_code == 404
        assert away.registry.get_blob("app", digest).status_code == 404
    for reference in ("v1", home.image.digest, home.referrer.digest):
        assert away.registry.request("GET", f"app/manifests/{reference}").status_code == 404
        assert away.registry.request("HEAD", f"app/manifests/{reference}").status_code == 404
    assert away.registry.tags("app").json()["tags"] == []
    assert away.registry.request("GET", f"app/referrers/{home.image.digest}").json()["manifests"] == []


def test_other_repositories_of_the_same_registry(home):
    """Neither there: a blob belongs to the repository it was pushed to."""
    home.ecr.create_repository(repositoryName="other")
    for digest in home.blobs:
        assert home.registry.head_blob("other", digest).status_code == 404
    assert home.registry.request("GET", f"other/manifests/{home.image.digest}").status_code == 404


def test_mounts(home, away):
    """Answered with an upload (202), whatever is on: with and without `from`, of a blob of an image and of another."""
    for place in (home, away):
        place.ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    for digest in home.blobs:
        for source in ({"from": "app"}, {"from": "team/none"}, {}):
            away.ecr.create_repository(repositoryName="target")
            assert away.registry.start_upload("target", mount=digest, **source).status_code == 202
            assert away.registry.head_blob("target", digest).status_code == 404
            away.ecr.delete_repository(repositoryName="target", force=True)


def test_pushes(home, away):
    """A manifest is refused while its blobs are elsewhere only; by either door."""
    answer = away.registry.put_manifest("app", "v1", home.image.manifest, home.image.media_type)
    assert answer.status_code >= 400, answer.text
    with refused("LayersNotFoundException"):
        away.ecr.put_image(repositoryName="app", imageManifest=home.image.manifest.decode())
    away.registry.push_image("app", home.image, "v1")
    away.ecr.batch_delete_image(repositoryName="app", imageIds=[{"imageTag": "v1"}])
    assert home.registry.pull_image("app", "v1") == home.image.manifest


def test_uploads(home, away):
    location = home.registry.start_upload("app").headers["Location"]
    for answer in (away.registry.upload_status(location), away.registry.patch_upload(location, b"x"),
                   away.registry.cancel_upload(location)):
        assert answer.status_code == 404
    assert home.registry.patch_upload(location, b"x").status_code == 202


def test_images_of_the_api(home, away):
    ids = [{"imageTag": "v1"}, {"imageDigest": home.image.digest}]
    assert away.ecr.describe_images(repositoryName="app")["imageDetails"] == []
    assert away.ecr.list_images(repositoryName="app")["imageIds"] == []
    for answer in (away.ecr.batch_get_image(repositoryName="app", imageIds=ids),
                   away.ecr.batch_delete_image(repositoryName="app", imageIds=ids)):
        assert {one["failureCode"] for one in answer["failures"]} == {"ImageNotFound"}
    layers = away.ecr.batch_check_layer_availability(repositoryName="app", layerDigests=home.blobs)["layers"]
    assert {one["layerAvailability"] for one in layers} == {"UNAVAILABLE"}
    for digest in home.blobs:
        with refused("LayersNotFoundException"):
            away.ecr.get_download_url_for_layer(repositoryName="app", layerDigest=digest)
    with refused("ImageNotFoundException"):
        away.ecr.describe_images(repositoryName="app", imageIds=ids[1:])
    assert len(home.ecr.list_images(repositoryName="app")["imageIds"]) == 2


RULE = {"rules": [{"rulePriority": 1, "action": {"type": "expire"}, "selection": {
    "tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1}}]}


def test_settings(home, away):
    """Of a repository and of the registry."""
    home.ecr.put_lifecycle_policy(repositoryName="app", lifecyclePolicyText=json.dumps(RULE))
    with refused("LifecyclePolicyNotFoundException"):
        away.ecr.get_lifecycle_policy(repositoryName="app")
    home.ecr.put_image_tag_mutability(repositoryName="app", imageTagMutability="IMMUTABLE")
    assert away.ecr.describe_repositories()["repositories"][0]["imageTagMutability"] == "MUTABLE"
    arn = home.ecr.describe_repositories()["repositories"][0]["repositoryArn"]
    home.ecr.tag_resource(resourceArn=arn, tags=[{"Key": "team", "Value": "one"}])
    arn = away.ecr.describe_repositories()["repositories"][0]["repositoryArn"]
    assert away.ecr.list_tags_for_resource(resourceArn=arn)["tags"] == []
    home.ecr.create_repository_creation_template(prefix="team", appliedFor=["CREATE_ON_PUSH"])
    assert away.ecr.describe_repository_creation_templates()["repositoryCreationTemplates"] == []
    home.ecr.put_registry_scanning_configuration(scanType="ENHANCED")
    assert away.ecr.get_registry_scanning_configuration()["scanningConfiguration"]["scanType"] == "BASIC"
    before = away.ecr.get_account_setting(name="BLOB_MOUNTING")["value"]
    home.ecr.put_account_setting(name="BLOB_MOUNTING", value="DISABLED" if before == "ENABLED" else "ENABLED")
    assert away.ecr.get_account_setting(name="BLOB_MOUNTING")["value"] == before


def test_deleting_the_repository_of_one_leaves_the_others(home, away):
    away.registry.push_image("app", home.image, "v1")
    away.ecr.delete_repository(repositoryName="app", force=True)
    assert home.registry.pull_image("app", "v1") == home.image.manifest
    for blob in home.image.blobs:
        assert home.registry.get_blob("app", blob.digest).content == blob.data


def test_registry_id_reaches_another_account_in_its_region(server, home):
    """In the modes without policies; what is asked for is the named registry, not the caller's."""
    other = Place(server, "222222222222", REGION)
    theirs = {"registryId": ACCOUNT, "repositoryName": "app"}
    assert len(other.ecr.list_images(**theirs)["imageIds"]) == 2
    detail, = other.ecr.describe_images(**theirs, imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert (detail["registryId"], detail["imageDigest"]) == (ACCOUNT, home.image.digest)
    found = other.ecr.batch_get_image(**theirs, imageIds=[{"imageTag": "v1"}])["images"]
    assert [(one["registryId"], one["imageManifest"]) for one in found] == [(ACCOUNT, home.image.manifest.decode())]
    layers = other.ecr.batch_check_layer_availability(**theirs, layerDigests=home.blobs[:1])["layers"]
    assert [one["layerAvailability"] for one in layers] == ["AVAILABLE"]
    abroad = server.ecr(access_key="222222222222", region="eu-west-1")
    with refused("RepositoryNotFoundException"):
        abroad.list_images(**theirs)
    other.registry.close()

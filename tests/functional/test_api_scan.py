"""Scanning and signing without a source of either (ecr-behaviour 2.7, 2.11, 8.4): both say so."""

import pytest
from botocore.exceptions import WaiterError
from support.api import call
from support.aws import refused
from support.images import oci_artifact, oci_image, oci_index
from support.refusals import ACCOUNT, not_found

NOWHERE = "sha256:" + "0" * 64
HOUR = 3600
PROFILE = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/"


@pytest.fixture
def image(registry, repository):
    image = oci_image()
    registry.push_image(repository, image, "v1")
    return image


def start(ecr, repository, **image_id):
    return ecr.start_image_scan(repositoryName=repository, imageId=image_id)


def findings(ecr, repository, **image_id):
    return ecr.describe_image_scan_findings(repositoryName=repository, imageId=image_id)


def scanned(ecr, repository, digest):
    detail, = ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])["imageDetails"]
    return detail.get("imageScanStatus", {}).get("status")


def no_scan(digest, tag, repository):
    return (f"Image scan does not exist for the image with '{{imageDigest:'{digest}', imageTag:'{tag}'}}' in the "
            f"repository with name '{repository}' in the registry with id '{ACCOUNT}'")


def test_a_scan_fails_and_says_why(ecr, repository, image):
    with refused("ScanNotFoundException") as error:
        findings(ecr, repository, imageTag="v1")
    assert error.message == no_scan("null", "v1", repository)
    assert scanned(ecr, repository, image.digest) is None
    answer = start(ecr, repository, imageTag="v1")
    del answer["ResponseMetadata"]
    assert answer == {
        "registryId": ACCOUNT, "repositoryName": repository, "imageScanStatus": {"status": "IN_PROGRESS"},
        "imageId": {"imageDigest": image.digest, "imageTag": "v1"}}
    answer = findings(ecr, repository, imageDigest=image.digest)
    assert answer["imageScanStatus"]["status"] == "FAILED"
    assert "no source of vulnerabilities" in answer["imageScanStatus"]["description"]
    assert "imageScanFindings" not in answer
    assert scanned(ecr, repository, image.digest) == "FAILED"
    with pytest.raises(WaiterError):
        ecr.get_waiter("image_scan_complete").wait(
            repositoryName=repository, imageId={"imageTag": "v1"}, WaiterConfig={"Delay": 0, "MaxAttempts": 2})


def test_once_a_day(drydock, ecr, repository, image):
    start(ecr, repository, imageTag="v1")
    drydock.advance(23 * HOUR)
    with refused("LimitExceededException") as error:
        start(ecr, repository, imageDigest=image.digest)
    assert error.message == "The scan quota per image has been exceeded. Wait and try again."
    drydock.advance(2 * HOUR)
    start(ecr, repository, imageTag="v1")


def test_scan_on_push_of_the_repository(ecr, registry):
    ecr.create_repository(repositoryName="scanned", imageScanningConfiguration={"scanOnPush": True})
    image, artifact = oci_image(), oci_artifact("application/vnd.example.sbom")
    index = oci_index([image])
    registry.push_image("scanned", index, "multi")
    registry.push_image("scanned", artifact)
    assert [scanned(ecr, "scanned", pushed.digest) for pushed in (image, index, artifact)] == ["FAILED", None, None]
    with refused("LimitExceededException"):
        start(ecr, "scanned", imageDigest=image.digest)


@pytest.mark.parametrize("pattern, matches", [("prod", True), ("prod*", False), ("*prod*", True), ("other", False)])
def test_scan_on_push_of_the_registry(ecr, registry, pattern, matches):
    ecr.put_registry_scanning_configuration(scanType="BASIC", rules=[{
        "scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": pattern, "filterType": "WILDCARD"}]}])
    ecr.create_repository(repositoryName="my-prod/app")
    image = oci_image()
    registry.push_image("my-prod/app", image, "v1")
    assert scanned(ecr, "my-prod/app", image.digest) == ("FAILED" if matches else None)


def test_a_restored_image_is_scanned_as_a_new_one(drydock, ecr, registry):
    ecr.create_repository(repositoryName="app")
    image = oci_image()
    registry.push_image("app", image, "v1")
    ecr.put_image_scanning_configuration(repositoryName="app", imageScanningConfiguration={"scanOnPush": True})
    ecr.update_image_storage_class(repositoryName="app", imageId={"imageTag": "v1"}, targetStorageClass="ARCHIVE")
    ecr.update_image_storage_class(repositoryName="app", imageId={"imageTag": "v1"}, targetStorageClass="STANDARD")
    assert scanned(ecr, "app", image.digest) is None
    drydock.advance(61)
    assert scanned(ecr, "app", image.digest) == "FAILED"


def test_what_cannot_be_scanned(ecr, registry, repository, image):
    index, artifact = oci_index([image]), oci_artifact("application/vnd.example.sbom")
    for other in (index, artifact):
        registry.push_image(repository, other)
        with refused("UnsupportedImageTypeException"):
            start(ecr, repository, imageDigest=other.digest)
    other = oci_image()
    registry.push_image(repository, other, "old")
    ecr.update_image_storage_class(repositoryName=repository, imageId={"imageTag": "old"}, targetStorageClass="ARCHIVE")
    with refused("ImageArchivedException"):
        start(ecr, repository, imageTag="old")


def test_not_with_enhanced_scanning(ecr, repository, image):
    ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[])
    with refused("ValidationException") as error:
        start(ecr, repository, imageTag="v1")
    assert error.message == "This feature is disabled"


@pytest.mark.parametrize("ask", [start, findings])
def test_images_that_are_not_there(ecr, repository, image, ask):
    for image_id in ({"imageDigest": NOWHERE}, {"imageTag": "nothing"}, {"imageDigest": NOWHERE, "imageTag": "v1"}):
        with refused("ImageNotFoundException"):
            ask(ecr, repository, **image_id)
    with refused("RepositoryNotFoundException") as error:
        ask(ecr, "nobody/here", imageTag="v1")
    assert error.message == not_found("nobody/here")


@pytest.mark.parametrize("operation", [
    "StartImageScan", "DescribeImageScanFindings", "DescribeImageReplicationStatus", "DescribeImageSigningStatus"])
@pytest.mark.parametrize("image_id", [{}, {"imageTag": "+"}, {"imageDigest": "nothing"}, None])
def test_parameters_are_checked(drydock, repository, operation, image_id):
    members = {"repositoryName": repository} | ({} if image_id is None else {"imageId": image_id})
    assert call(drydock, operation, members).code in ("InvalidParameterException", "ValidationException")


def test_no_page_of_findings_follows(ecr, repository, image):
    start(ecr, repository, imageTag="v1")
    with refused("InvalidParameterException"):
        ecr.describe_image_scan_findings(repositoryName=repository, imageId={"imageTag": "v1"}, nextToken="x")


# -- signing ------------------------------------------------------------------------------------------------------------

def signing(ecr, repository):
    answer = ecr.describe_image_signing_status(repositoryName=repository, imageId={"imageTag": "v1"})
    assert answer["registryId"] == ACCOUNT and answer["repositoryName"] == repository
    return answer["signingStatuses"]


def test_nothing_is_signed(ecr, repository, image):
    assert signing(ecr, repository) == []
    ecr.put_signing_configuration(signingConfiguration={"rules": [
        {"signingProfileArn": PROFILE + "everything"},
        {"signingProfileArn": PROFILE + "team",
         "repositoryFilters": [{"filter": "team/*", "filterType": "WILDCARD_MATCH"}]},
        {"signingProfileArn": PROFILE + "other",
         "repositoryFilters": [{"filter": "other/*", "filterType": "WILDCARD_MATCH"}]},
        {"signingProfileArn": PROFILE + "team"},
    ]})
    statuses = signing(ecr, repository)
    assert [status["signingProfileArn"] for status in statuses] == [PROFILE + "everything", PROFILE + "team"]
    assert all(status["status"] == "FAILED" and status["failureCode"] and "does not sign" in status["failureReason"]
               for status in statuses)


def test_signing_status_of_what_is_not_there(ecr, repository):
    with refused("ImageNotFoundException"):
        signing(ecr, repository)
    with refused("RepositoryNotFoundException"):
        signing(ecr, "nobody/here")

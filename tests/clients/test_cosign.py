"""cosign: signatures with a key pair, without a transparency log: nothing outside of this machine is asked."""

import json

import pytest
from client import Client
from layouts import pushed, unpackable_image

OFFLINE = "--allow-insecure-registry", "--allow-http-registry"


@pytest.fixture
def cosign(tmp_path, drydock):
    cosign = Client("cosign", tmp_path, COSIGN_PASSWORD="")
    cosign.login(drydock)
    cosign("generate-key-pair")
    return cosign


@pytest.fixture
def image(drydock, registry, repository):
    image = unpackable_image()
    registry.push_image(repository, image, "v1")
    image.reference = f"{drydock.host}/{repository}@{image.digest}"
    return image


def sign(cosign, image, *options):
    cosign("sign", "--key", "cosign.key", "--tlog-upload=false", "--yes", *OFFLINE, *options, image.reference)


def verify(cosign, image):
    said = cosign("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", *OFFLINE, image.reference).stdout
    return [one["critical"]["image"]["docker-manifest-digest"] for one in json.loads(said)]


def test_sign_and_verify(cosign, image, ecr, repository):
    assert "no signatures found" in cosign.refused(
        "verify", "--key", "cosign.pub", "--insecure-ignore-tlog", *OFFLINE, image.reference)
    sign(cosign, image)
    assert verify(cosign, image) == [image.digest]
    signature = image.digest.replace(":", "-") + ".sig"
    assert {signature} in pushed(ecr, repository).values()
    # Another key did not sign it.
    cosign("generate-key-pair", "--output-key-prefix", "other")
    assert "invalid signature" in cosign.refused(
        "verify", "--key", "other.pub", "--insecure-ignore-tlog", *OFFLINE, image.reference)


def test_signature_as_a_referrer(cosign, image, ecr, registry, repository):
    cosign.env["COSIGN_EXPERIMENTAL"] = "1"
    sign(cosign, image, "--registry-referrers-mode=oci-1-1")
    (referrer,) = registry.request("GET", f"{repository}/referrers/{image.digest}").json()["manifests"]
    assert referrer["artifactType"] == "application/vnd.dev.cosign.artifact.sig.v1+json"
    assert pushed(ecr, repository) == {image.digest: {"v1"}, referrer["digest"]: set()}
    said = cosign("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", "--experimental-oci11", *OFFLINE,
                  image.reference).stdout
    assert json.loads(said)[0]["critical"]["image"]["docker-manifest-digest"] == image.digest


def test_attest_and_verify(cosign, image, tmp_path):
    (tmp_path / "predicate.json").write_text('{"made.by": "a test"}')
    cosign("attest", "--key", "cosign.key", "--tlog-upload=false", "--yes", *OFFLINE, "--type", "custom", "--predicate",
           "predicate.json", image.reference)
    said = cosign("verify-attestation", "--key", "cosign.pub", "--insecure-ignore-tlog", "--type", "custom", *OFFLINE,
                  image.reference).stdout
    assert json.loads(said)["payloadType"] == "application/vnd.in-toto+json"


def test_refusals(cosign, image, ecr, repository):
    """A signature is a tag, which an immutable repository takes once."""
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    sign(cosign, image)
    assert verify(cosign, image) == [image.digest]
    said = cosign.refused("sign", "--key", "cosign.key", "--tlog-upload=false", "--yes", *OFFLINE,
                          "-a", "more=1", image.reference)
    assert "already exists in the 'team/app' repository and cannot be overwritten because the" in said

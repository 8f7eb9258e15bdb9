"""notation: signatures as referrers, with a key and a certificate of its own: nothing outside of this machine is asked."""

import json

import pytest
from client import Client, login_password
from layouts import pushed, unpackable_image

SIGNATURE = "application/vnd.cncf.notary.signature"
TRUST = {"version": "1.0", "trustPolicies": [{
    "name": "tests", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
    "trustStores": ["ca:tests"], "trustedIdentities": ["*"]}]}


@pytest.fixture
def notation(tmp_path, drydock):
    """With a key and its certificate, which is trusted. It has no login without a credential helper: the environment
    says who it is."""
    notation = Client(
        "notation", tmp_path, NOTATION_USERNAME="AWS", NOTATION_PASSWORD=login_password(drydock))
    notation("cert", "generate-test", "--default", "tests")
    (tmp_path / "trust.json").write_text(json.dumps(TRUST))
    notation("policy", "import", "trust.json")
    return notation


@pytest.fixture
def image(drydock, registry, repository):
    image = unpackable_image()
    registry.push_image(repository, image, "v1")
    image.reference = f"{drydock.host}/{repository}@{image.digest}"
    return image


def sign(notation, image, *options):
    notation("sign", "--insecure-registry", *options, image.reference)


def verified(notation, image):
    said = notation("verify", "--insecure-registry", image.reference).stdout
    return f"Successfully verified signature for {image.reference}" in said


@pytest.mark.parametrize("how", ["referrer", "tag"])
def test_sign_and_verify(notation, image, ecr, registry, repository, how):
    """By the referrers API, or, as it does when not told, with an index of them under a tag of its own as well."""
    assert "no signature is associated with" in notation.refused("verify", "--insecure-registry", image.reference)
    sign(notation, image, *(["--force-referrers-tag=false"] if how == "referrer" else []))
    assert verified(notation, image)
    (referrer,) = registry.request("GET", f"{repository}/referrers/{image.digest}").json()["manifests"]
    assert referrer["artifactType"] == SIGNATURE
    listed = notation("list", "--insecure-registry", image.reference).stdout
    assert referrer["digest"] in listed
    tags = set().union(*pushed(ecr, repository).values())
    assert tags == {"v1"} | ({image.digest.replace(":", "-")} if how == "tag" else set())


def test_signed_by_another(notation, image):
    notation("cert", "generate-test", "other")
    sign(notation, image, "--key", "other")
    assert "signature verification failed" in notation.refused("verify", "--insecure-registry", image.reference)
    sign(notation, image, "--key", "tests")
    assert verified(notation, image)


def test_refusals(notation, image, drydock, repository):
    absent = image.reference.replace(repository, "team/absent")
    assert "not found" in notation.refused("sign", "--insecure-registry", absent)
    notation.env["NOTATION_PASSWORD"] = "nonsense"
    assert "401" in notation.refused("sign", "--insecure-registry", image.reference)

"""Both formats of an image, through clients that push one of them and pull whatever is there (ecr-behaviour 6.6)."""

import json

import pytest
from application import Application
from client import Client
from layouts import DOCKER, OCI, diff_ids, pushed, unpackable_image, unpacked_layers
from support.images import DOCKER_MANIFEST, OCI_MANIFEST, converted, digest_of

FORMATS = {"oci": OCI_MANIFEST, "v2s2": DOCKER_MANIFEST}


@pytest.fixture
def there(drydock, repository):
    return f"{drydock.host}/{repository}"


@pytest.fixture
def skopeo(tmp_path, drydock):
    skopeo = Client("skopeo", tmp_path, "--insecure-policy")
    skopeo.login(drydock, "login", "--tls-verify=false")
    return skopeo


@pytest.mark.parametrize("source", [OCI, DOCKER], ids=["from oci", "from docker"])
@pytest.mark.parametrize("form", FORMATS)
def test_skopeo_writes_the_format(skopeo, there, registry, repository, tmp_path, source, form):
    """It converts what it copies by itself; what it pushed in either format comes back, whatever it is to become."""
    image = unpackable_image(types=source)
    registry.push_image(repository, image, "v1")
    for tag, wanted in (("v2", form), ("v3", "oci"), ("v4", "v2s2")):
        skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--format", wanted, f"docker://{there}:v1",
               f"docker://{there}:{tag}")
        assert registry.get_manifest(repository, tag).headers["Content-Type"] == FORMATS[wanted]
        assert unpacked_layers(registry, repository, tag) == diff_ids(image)
    skopeo("copy", "--src-tls-verify=false", f"docker://{there}:v2", f"oci:{tmp_path / 'in'}:v1")
    said = skopeo("inspect", "--config", f"oci:{tmp_path / 'in'}:v1").stdout
    assert json.loads(said)["rootfs"]["diff_ids"] == diff_ids(image)


@pytest.mark.parametrize("types", [OCI, DOCKER], ids=["oci", "docker"])
def test_docker_pulls_either(engine, drydock, there, registry, repository, tmp_path, types):
    image = unpackable_image(types=types)
    registry.push_image(repository, image, "v1")
    engine.login(drydock)
    for reference in (f"{there}:v1", f"{there}@{image.digest}"):
        engine.forget_images()
        engine.docker("pull", reference)
        local = json.loads(engine.docker("image", "inspect", reference).stdout)[0]
        assert local["RootFS"]["Layers"] == diff_ids(image)
        assert local["RepoDigests"] == [f"{there}@{image.digest}"]


def test_docker_runs_what_skopeo_made_oci(engine, skopeo, drydock, there, registry, repository, tmp_path):
    application = Application(tmp_path / "application", [1000])
    prints = application.build(engine, "one", f"{there}:docker")
    engine.login(drydock)
    engine.push(f"{there}:docker")
    skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--format", "oci", f"docker://{there}:docker",
           f"docker://{there}:oci")
    assert registry.get_manifest(repository, "oci").headers["Content-Type"] == OCI_MANIFEST
    engine.forget_images()
    engine.docker("pull", f"{there}:oci")
    assert engine.run(f"{there}:oci") == prints


@pytest.mark.parametrize("types, wanted", [(OCI, DOCKER_MANIFEST), (DOCKER, OCI_MANIFEST)], ids=["oci", "docker"])
def test_oras_accepts_one_type_only(drydock, there, ecr, registry, repository, tmp_path, types, wanted):
    """A client that accepts the other format only: by tag it is given that, and can copy it; by digest, what is stored."""
    oras = Client("oras", tmp_path)
    oras.login(drydock, "login", "--plain-http")
    image = unpackable_image(types=types)
    registry.push_image(repository, image, "v1")
    body = oras("manifest", "fetch", "--plain-http", "--media-type", wanted, f"{there}:v1").stdout.encode()
    assert body == converted(image)
    (tmp_path / "manifest.json").write_bytes(body)
    oras("manifest", "push", "--plain-http", "--media-type", wanted, f"{there}:v2", "manifest.json")
    assert pushed(ecr, repository) == {image.digest: {"v1"}, digest_of(body): {"v2"}}
    assert unpacked_layers(registry, repository, "v2") == diff_ids(image)

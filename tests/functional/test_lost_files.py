"""A blob whose file is gone, or cut off: nobody is told that it is there, and the next push of it heals every image."""

import os

import pytest
from support.images import oci_image
from support.refusals import blob_unknown, refusal

LARGE = 100_000  # of a blob that is a file


def lose(path):
    path.unlink()


def cut_off(path):
    os.truncate(path, LARGE // 2)


def become_a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.fixture
def server(make_server, tmp_path):
    server = make_server(data=tmp_path / "data")
    server.ecr().create_repository(repositoryName="app")
    server.ecr().create_repository(repositoryName="other")
    return server


@pytest.fixture
def registry(server):
    registry = server.registry()
    yield registry
    registry.close()


def file_of(server, digest):
    text = digest.removeprefix("sha256:")
    return server.data / "blobs" / "sha256" / text[:2] / text


@pytest.mark.parametrize("spoil", [lose, cut_off])
def test_nothing_is_promised_and_a_push_heals(server, registry, spoil):
    ecr, image = server.ecr(), oci_image(size=LARGE)
    layer = image.layers[0]
    registry.push_image("app", image, "v1")
    ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    spoil(file_of(server, layer.digest))

    unknown = blob_unknown(layer.digest, "app")
    assert registry.head_blob("app", layer.digest).status_code == 404
    assert refusal(registry.get_blob("app", layer.digest)) == unknown
    answer = ecr.batch_check_layer_availability(repositoryName="app", layerDigests=[layer.digest])
    assert [one["layerAvailability"] for one in answer["layers"]] == ["UNAVAILABLE"]
    with pytest.raises(ecr.exceptions.LayersNotFoundException):
        ecr.get_download_url_for_layer(repositoryName="app", layerDigest=layer.digest)
    mounted = registry.start_upload("other", mount=layer.digest, **{"from": "app"})
    assert mounted.status_code == 202 and "/blobs/uploads/" in mounted.headers["Location"]
    again = oci_image(layers=[layer], annotations={"pushed": "again"})
    registry.push_blob("app", again.config.data)
    for reference, manifest in (("v1", image.manifest), ("v2", again.manifest)):
        status, code, message = refusal(registry.put_manifest("app", reference, manifest, image.media_type))
        assert status in (400, 404) and layer.digest in message, (status, code, message)

    assert registry.push_blob("app", layer.data).status_code == 201
    assert registry.head_blob("app", layer.digest).headers["Content-Length"] == str(LARGE)
    assert registry.pull_image("app", "v1") == image.manifest  # whole again, with its layers, and was not pushed again
    registry.push_image("app", again, "v2")
    assert registry.pull_image("app", "v2") == again.manifest
    mounted = registry.start_upload("other", mount=layer.digest, **{"from": "app"})
    assert mounted.status_code == 201
    server.restart(kill=True)
    assert registry.get_blob("app", layer.digest).content == layer.data


def test_all_forms_of_an_upload_heal(server, registry):
    """Also one whose bytes are hashed at its end, and one by the API."""
    image = oci_image(size=6 << 20)
    layer = image.layers[0]
    registry.push_image("app", image, "v1")
    path = file_of(server, layer.digest)
    for form in ("put", "post", "patch"):
        lose(path)
        assert registry.push_blob("app", layer.data, form=form).status_code == 201
        assert registry.pull_image("app", "v1") == image.manifest
    lose(path)
    ecr = server.ecr()
    upload = ecr.initiate_layer_upload(repositoryName="app")["uploadId"]
    ecr.upload_layer_part(
        repositoryName="app", uploadId=upload, partFirstByte=0, partLastByte=len(layer.data) - 1,
        layerPartBlob=layer.data)
    try:
        ecr.complete_layer_upload(repositoryName="app", uploadId=upload, layerDigests=[layer.digest])
    except ecr.exceptions.LayerAlreadyExistsException:
        pass
    assert registry.pull_image("app", "v1") == image.manifest


def test_a_folder_in_its_place(server, registry):
    """It cannot be told to be a blob, nor taken away: words, no crash."""
    image = oci_image(size=LARGE)
    registry.push_image("app", image, "v1")
    become_a_folder(file_of(server, image.layers[0].digest))
    assert registry.get_blob("app", image.layers[0].digest).status_code == 404
    assert registry.push_blob("app", image.layers[0].data).status_code in (201, 500)
    assert server.admin("GET", "health")["status"] in ("ok", "degraded")

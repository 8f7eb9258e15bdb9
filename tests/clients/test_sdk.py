"""The AWS SDKs of other languages: one scenario, written in each (sdk/LANGUAGE), and one result expected of all.

Each program is given the address of a server that may have three repositories. With its SDK's own signing it makes them,
logs in to the registry, pushes three images through the layer API, lists, describes and pages, is refused in seven ways,
deletes, and prints one JSON object of what it was told.
"""

import json
import os
import subprocess

import pytest
from engine import run
from support.binary import SOURCE, clean_environment
from support.images import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Blob, digest_of

BUILT = SOURCE / "build/clients/sdk"
PROGRAMS = {
    "javascript": ["node", BUILT / "javascript/scenario.js"],
    "go": [BUILT / "go/scenario"],
    "java": ["java", "-cp", f"{BUILT}/java/classes:{BUILT}/java/lib/*", "Scenario"],
    "rust": [BUILT / "rust/debug/scenario"],
}
LAYER = Blob(bytes(i % 251 for i in range((5 << 20) + 1000)), OCI_LAYER)
CONFIG = Blob(b'{"architecture":"amd64","os":"linux"}', OCI_CONFIG)
REGISTRY = "in the registry with id '000000000000'"
NAME_PATTERN = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"


def manifest_of(version):
    def descriptor(blob):
        return {"mediaType": blob.media_type, "digest": blob.digest, "size": blob.size}

    document = {
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(CONFIG), "layers": [descriptor(LAYER)],
        "annotations": {"org.opencontainers.image.version": version}}
    return json.dumps(document, separators=(",", ":")).encode()


def refusal(code, message):
    return {"type": code, "code": code, "message": message, "status": 400}


def expected(host):
    digests = {tag: digest_of(manifest_of(tag)) for tag in ("v1", "v2", "v3")}
    return {
        "create": {"name": "team/app", "uri": f"{host}/team/app", "mutability": "MUTABLE"},
        "login": {"user": "AWS", "anonymous": 401, "token": 200},
        "images": digests,
        "layer": {
            "digest": LAYER.digest, "availability": "AVAILABLE", "size": LAYER.size, "downloaded": LAYER.digest},
        "list": {"pages": [1, 1, 1], "tags": ["v1", "v2", "v3"]},
        "describe": {"pages": [2, 1], "tags": ["v1", "v2", "v3"], "sizes": [LAYER.size] * 3},
        "repositories": [["team/app", "team/db"], ["team/web"]],
        "get": {"manifests": [digests["v1"]], "failures": ["ImageNotFound"]},
        "refusals": {
            "again": refusal(
                "RepositoryAlreadyExistsException", f"The repository with name 'team/app' already exists {REGISTRY}"),
            "quota": refusal(
                "LimitExceededException", "The maximum number of repositories per registry (3) has been reached"),
            "name": refusal(
                "InvalidParameterException", "Invalid parameter at 'repositoryName' failed to satisfy constraint: "
                f"'must satisfy regular expression '{NAME_PATTERN}''"),
            "unknown": refusal(
                "RepositoryNotFoundException", f"The repository with name 'none' does not exist {REGISTRY}"),
            "image": refusal(
                "ImageNotFoundException", "The image with imageId {imageDigest:'null', imageTag:'none'} does not exist "
                f"within the repository with name 'team/app' {REGISTRY}"),
            "same image": refusal(
                "ImageAlreadyExistsException", f"Image with digest '{digests['v1']}' and tag 'v1' already exists in the "
                "repository with name 'team/app' in registry with id '000000000000'"),
            "not empty": refusal(
                "RepositoryNotEmptyException", "The repository with name 'team/app' in registry with id '000000000000' "
                "cannot be deleted because it still contains images"),
        },
        "delete": {"tags": ["v3"], "failures": ["ImageNotFound"]},
        "deleted": "team/app",
    }


def program_of(language):
    """The command of a scenario that is built, of these very sources; a test whose scenario is not is skipped."""
    built = subprocess.run(
        [SOURCE / "tests/setup/sdk_clients.sh", language], capture_output=True, text=True, check=False,
        env=os.environ | {"DRYDOCK_NO_INSTALL": "1"})
    if built.returncode != 0:
        pytest.skip(built.stderr.strip())
    return PROGRAMS[language]


def test_every_scenario_is_run():
    assert {path.name for path in (SOURCE / "tests/clients/sdk").iterdir()} == set(PROGRAMS)


@pytest.mark.parametrize("language", PROGRAMS)
def test_scenario(make_server, language):
    program = program_of(language)
    server = make_server("--quota", "repositories=3")
    said = run([*map(str, program), server.url], clean_environment(), timeout=120).stdout
    assert json.loads(said) == expected(server.host)
    assert [one["repositoryName"] for one in server.ecr().describe_repositories()["repositories"]] == [
        "team/db", "team/web"]

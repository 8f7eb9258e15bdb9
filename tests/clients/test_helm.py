"""helm: a chart packaged, pushed, shown, pulled and rendered."""

import re

import pytest
from client import Client
from layouts import pushed
from support.images import digest_of

CHART = "team/web"


@pytest.fixture
def helm(tmp_path, drydock):
    helm = Client("helm", tmp_path)
    helm.login(drydock, "registry", "login", "--plain-http")
    return helm


@pytest.fixture
def package(helm, tmp_path):
    """A packaged chart."""
    chart = tmp_path / "web"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.2.3\ndescription: a chart\n")
    (chart / "values.yaml").write_text("answer: 42\n")
    (chart / "templates/map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: map\ndata:\n  answer: {{ .Values.answer | quote }}\n")
    helm("package", chart)
    return tmp_path / "web-1.2.3.tgz"


def test_push_and_pull(helm, package, drydock, ecr, registry, tmp_path):
    ecr.create_repository(repositoryName=CHART)
    said = helm("push", "--plain-http", package, f"oci://{drydock.host}/team")
    digest = re.search(r"Digest: (sha256:[0-9a-f]{64})", said.stdout + said.stderr)[1]
    assert pushed(ecr, CHART) == {digest: {"1.2.3"}}
    detail = ecr.describe_images(repositoryName=CHART)["imageDetails"][0]
    assert detail["artifactMediaType"] == "application/vnd.cncf.helm.config.v1+json"
    layer = registry.get_manifest(CHART, "1.2.3").json()["layers"][0]
    assert layer["digest"] == digest_of(package.read_bytes())

    chart = f"oci://{drydock.host}/{CHART}"
    (tmp_path / "in").mkdir()
    helm("pull", "--plain-http", "--version", "1.2.3", "--destination", tmp_path / "in", chart)
    assert (tmp_path / "in/web-1.2.3.tgz").read_bytes() == package.read_bytes()
    assert "description: a chart" in helm("show", "chart", "--plain-http", "--version", "1.2.3", chart).stdout
    # Without a version: the newest of the tags.
    assert 'answer: "42"' in helm("template", "--plain-http", "name", chart).stdout


def test_refusals(helm, package, drydock):
    said = helm.refused("push", "--plain-http", package, f"oci://{drydock.host}/team")
    assert "the repository with name 'team/web' does not exist in the registry with id '000000000000'" in said.lower()
    helm("registry", "logout", drydock.host)
    assert "basic credential not found" in helm.refused("push", "--plain-http", package, f"oci://{drydock.host}/team")

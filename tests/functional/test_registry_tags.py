"""GET /v2/{name}/tags/list, as ECR answers it (ecr-behaviour 6.3)."""

import re

import pytest
from support.images import oci_image
from support.refusals import invalid, refusal

MORE = re.compile(r'<(http://[^>]+)>; rel="next"')


@pytest.fixture
def image(registry, repository):
    """An image whose blobs are there."""
    image = oci_image()
    for blob in image.blobs:
        registry.push_blob(repository, blob.data)
    return image


def tag(registry, repository, image, *tags):
    for one in tags:
        assert registry.put_manifest(repository, one, image.manifest, image.media_type).status_code == 201


def follow(registry, response):
    """The tags of this page and all that its Link leads to, page by page."""
    while True:
        assert response.status_code == 200, response.text
        assert set(response.json()) == {"name", "tags"}
        yield response.json()["tags"]
        if "Link" not in response.headers:
            return
        response = registry.request("GET", MORE.fullmatch(response.headers["Link"])[1])


def test_tags(registry, repository, image):
    response = registry.tags(repository)
    assert response.json() == {"name": repository, "tags": []}
    tag(registry, repository, image, "latest", "2017.09", "Beta", "_x")
    registry.push_image(repository, oci_image())  # an untagged one
    response = registry.tags(repository)
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8", "ECR says so of its JSON"
    assert response.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert "Link" not in response.headers
    assert response.json()["name"] == repository
    assert sorted(response.json()["tags"]) == ["2017.09", "Beta", "_x", "latest"]
    head = registry.request("HEAD", f"{repository}/tags/list")
    assert {**head.headers, "Date": ""} == {**response.headers, "Date": ""} and head.content == b""


def test_pages(registry, repository, image):
    expected = [f"t{i:03}" for i in range(101)]
    tag(registry, repository, image, *expected)
    for size, lengths in ((None, [100, 1]), (1000, [101]), (101, [101]), (50, [50, 50, 1]), (100, [100, 1])):
        found = list(follow(registry, registry.tags(repository, **({"n": size} if size else {}))))
        assert [len(page) for page in found] == lengths
        assert sorted(name for page in found for name in page) == expected


def test_the_link_is_opaque_and_whole(drydock, registry, repository, image):
    tag(registry, repository, image, "a", "b", "c")
    link = registry.tags(repository, n=1).headers["Link"]
    url = MORE.fullmatch(link)[1]
    assert url.startswith(f"{drydock.url}/v2/{repository}/tags/list?")
    assert registry.request("GET", url).json()["tags"] == ["b"]
    assert registry.request("GET", url).json()["tags"] == ["b"], "it can be used again"


def test_pages_while_tags_come_and_go(registry, repository, image):
    """What is there from the first page to the last is told exactly once."""
    staying = [f"m{i:02}" for i in range(0, 40, 2)]
    tag(registry, repository, image, *staying, "m09", "m31")
    changes = iter((
        lambda: tag(registry, repository, image, "a-new", "m13"),
        lambda: registry.request("DELETE", f"{repository}/manifests/m09"),
        lambda: tag(registry, repository, image, "m27", "z-new"),
        lambda: registry.request("DELETE", f"{repository}/manifests/m31")))
    told = []
    for page in follow(registry, registry.tags(repository, n=4)):
        told += page
        next(changes, lambda: None)()
    assert [name for name in told if name in staying] == staying
    assert len(set(told)) == len(told)


BAD_TOKEN = invalid("NextToken", "Invalid next token provided")


@pytest.mark.parametrize("query, message", [
    ({"n": 0}, invalid("maxResults", "Member must have value greater than or equal to 1")),
    ({"n": -1}, invalid("maxResults", "Member must have value greater than or equal to 1")),
    ({"n": "many"}, invalid("maxResults", "Member must have value greater than or equal to 1")),
    ({"n": ""}, invalid("maxResults", "Member must have value greater than or equal to 1")),
    ({"n": 1001}, invalid("maxResults", "Member must have value less than or equal to 1000")),
    ({"n": "99999999999999999999"}, None),
    ({"last": "a"}, BAD_TOKEN), ({"last": ""}, BAD_TOKEN), ({"last": "m" * 5000}, BAD_TOKEN),
    ({"last": "%ff"}, BAD_TOKEN), ({"n": 2, "last": "b"}, BAD_TOKEN)])
def test_refusals(registry, repository, image, query, message):
    """A client's own `last=<tag>` is refused by ECR, too."""
    tag(registry, repository, image, "a", "b")
    status, code, text = refusal(registry.tags(repository, **query))
    assert (status, code) == (405, "UNSUPPORTED")
    assert text == message or message is None


def test_a_token_is_good_for_its_list_alone(drydock, ecr, registry, repository, image):
    tag(registry, repository, image, "a", "b")
    ecr.create_repository(repositoryName="other")
    registry.push_image("other", image, "a", "b")
    token = re.search("[?&]last=([^&>]+)", registry.tags(repository, n=1).headers["Link"])[1]
    assert registry.tags(repository, last=token).json()["tags"] == ["b"]
    drydock.ecr(region="eu-west-1").create_repository(repositoryName=repository)
    abroad = drydock.registry(drydock.token(region="eu-west-1"))
    elsewhere = [
        registry.tags("other", last=token), abroad.tags(repository, last=token),
        registry.tags(repository, last=token[:-1]), registry.tags(repository, last=token.swapcase())]
    for response in elsewhere:
        assert refusal(response) == (405, "UNSUPPORTED", BAD_TOKEN)
    abroad.close()

"""A web page cannot command the server: what browsers say of a request's page (Origin, Sec-Fetch-Site), and by which
names the doors answer, so that a page cannot make its own name mean this machine."""

import json

import pytest
from support.api import authorization
from support.images import oci_image
from support.refusals import refusal

FOREIGN = "Web pages of other origins may not use this interface."
JSON_11 = {"Content-Type": "application/x-amz-json-1.1"}
SIGNED = {"Authorization": authorization()}
DOORS = [("GET", "_drydock/health"), ("GET", "_drydock/clock"), ("POST", "_drydock/clock"), ("POST", "_drydock/reset"),
         ("GET", "metrics"), ("GET", "_drydock/nothing"), ("POST", "_drydock/lifecycle/run"), ("POST", "_drydock/gc")]


def door(client, method, path, headers, **arguments):
    return client.request(method, f"{client.url}/{path}", headers=headers, **arguments)


def api(client, operation, body, **headers):
    return client.request(
        "POST", client.url + "/", data=json.dumps(body),
        headers={"X-Amz-Target": f"AmazonEC2ContainerRegistry_V20150921.{operation}"} | JSON_11 | SIGNED | headers)


@pytest.fixture
def names(ecr):
    """The repositories there are."""
    return lambda: [r["repositoryName"] for r in ecr.describe_repositories()["repositories"]]


# -- by which name ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method, path", DOORS)
@pytest.mark.parametrize("host", [
    "evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example", "evil.localhost.example",
    "api.ecr.us-east-1.amazonaws.com.evil.example", "amazonaws.com", "s3.us-east-1.amazonaws.com", "drydock.svc.cluster.local",
    "127.1.evil", "1.2.3.4.5", "evil.example."])
def test_the_doors_do_not_know_every_name(drydock, repository, names, anonymous, method, path, host):
    host = host.format(port=drydock.port)
    for more in ({}, {"Origin": f"http://{host}"}, {"Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}):
        answer = door(anonymous, method, path, {"Host": host} | more, data=b'{"reset": true}')
        assert answer.status_code == 421
        assert "--host-name" in answer.json()["message"]
    assert names() == [repository]


@pytest.mark.parametrize("host", [
    "127.0.0.1", "127.0.0.1:{port}", "10.1.2.3", "[::1]", "[::1]:{port}", "localhost", "LocalHost:{port}", "drydock",
    "drydock:5001", "host.docker.internal.localhost", "503561414328.dkr.ecr.us-east-1.localhost:{port}",
    "503561414328.dkr.ecr.us-east-1.amazonaws.com", "api.ecr.eu-west-1.amazonaws.com", "STS.us-east-1.amazonaws.com",
    "sts.amazonaws.com:443", "localhost."])
def test_names_that_are_ours(drydock, anonymous, host):
    host = host.format(port=drydock.port)
    for more in ({}, {"Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
        assert door(anonymous, "GET", "_drydock/clock", {"Host": host} | more).status_code == 200
        assert door(anonymous, "POST", "_drydock/gc", {"Host": host} | more).status_code == 200
        assert door(anonymous, "GET", "metrics", {"Host": host} | more).status_code == 200


def test_names_that_are_given(make_server):
    server = make_server(
        "--host-name", "drydock.svc.cluster.local,Ci.Example", env={"DRYDOCK_TLS_NAME": "registry.test"})
    client = server.registry(login=None)
    for host in ("drydock.svc.cluster.local", "DRYDOCK.svc.cluster.local:5001", "ci.example", "registry.test:443"):
        assert door(client, "GET", "_drydock/clock", {"Host": host}).status_code == 200
        assert door(client, "POST", "_drydock/gc", {"Host": host, "Origin": f"http://{host}"}).status_code == 200
        assert api(client, "DescribeRepositories", {}, Host=host, Origin=f"http://{host}").status_code == 200
    for host in ("x.ci.example", "ci.example.x", "svc.cluster.local"):
        assert door(client, "GET", "_drydock/clock", {"Host": host}).status_code == 421
    client.close()


# -- which page -----------------------------------------------------------------------------------------------------------

def foreign(drydock):
    """What a browser says of a page that is not ours, at our own address."""
    return [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": ""}, {"Origin": f"https://{drydock.host}"},
        {"Origin": f"http://localhost:{drydock.port}"}, {"Origin": "http://127.0.0.1"}, {"Sec-Fetch-Site": "cross-site"},
        {"Origin": f"http://{drydock.host}", "Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "another"}]


@pytest.mark.parametrize("method, path", DOORS)
def test_doors_and_foreign_pages(drydock, repository, names, anonymous, method, path):
    for headers in foreign(drydock):
        answer = door(anonymous, method, path, headers, data=b'{"reset": true}')
        assert (answer.status_code, answer.json()) == (403, {"message": FOREIGN}), headers
    assert names() == [repository]


def test_the_api_and_foreign_pages(drydock, repository, names, anonymous):
    """Whatever the name: those that a cluster gives keep working for everybody but pages."""
    assert api(anonymous, "DescribeRepositories", {}, Host="drydock.svc.cluster.local").status_code == 200
    pages = [*foreign(drydock), {"Sec-Fetch-Site": "same-site"},
             {"Host": "evil.example", "Origin": "http://evil.example"},
             {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}]
    for headers in pages:
        answer = api(anonymous, "CreateRepository", {"repositoryName": "from/a/page"}, **headers)
        assert (answer.status_code, answer.json()["__type"], answer.json()["message"]) == (
            400, "AccessDeniedException", FOREIGN), headers
    answer = anonymous.request("GET", anonymous.url + "/?Action=GetCallerIdentity", headers=SIGNED | pages[0])
    assert answer.status_code == 400 or answer.status_code == 403
    assert names() == [repository]
    own = {"Origin": f"http://{drydock.host}", "Sec-Fetch-Site": "same-origin"}
    assert api(anonymous, "DescribeRepositories", {}, **own).status_code == 200


def test_the_registry_and_foreign_pages(make_server):
    """Also where nothing is asked: a page's plain POST needs no leave of the browser's."""
    server = make_server("--auth", "open", "--profile", "oci")
    client = server.registry(login=None)
    image = oci_image()
    client.push_image("app", image, "v1")
    pages = [*foreign(server), {"Host": "evil.example", "Origin": "http://evil.example"}]
    for headers in pages:
        for method, path in (
                ("POST", "app/blobs/uploads/"), ("POST", "new/blobs/uploads/"), ("GET", "app/manifests/v1"),
                ("GET", ""), ("DELETE", "app/manifests/v1"), ("GET", "_catalog")):
            assert refusal(client.request(method, path, headers=headers)) == (403, "DENIED", FOREIGN)
    assert client.request("POST", "app/blobs/uploads/", headers={"Sec-Fetch-Site": "same-site"}).status_code == 403
    assert client.request("GET", "app/manifests/v1", headers={"Host": "any.name.example"}).status_code == 200
    assert client.tags("app").json()["tags"] == ["v1"]
    client.close()


def test_links_and_foreign_pages(drydock, ecr, repository, registry, anonymous):
    """A link works by any name, as whoever has it may follow it, but not out of another site's page."""
    image = oci_image()
    registry.push_image(repository, image, "v1")
    link = ecr.get_download_url_for_layer(
        repositoryName=repository, layerDigest=image.layers[0].digest)["downloadUrl"]
    for headers in ({}, {"Host": "any.name.example"}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-site"}):
        assert anonymous.request("GET", link, headers=headers).content == image.layers[0].data
    for headers in foreign(drydock):
        answer = anonymous.request("GET", link, headers=headers)
        assert (answer.status_code, answer.text) == (403, FOREIGN + "\n")


def test_a_page_of_the_same_site_may_look(drydock, anonymous):
    """Another port of this machine, say: it may show what is here, and change nothing."""
    same_site = {"Sec-Fetch-Site": "same-site"}
    assert door(anonymous, "GET", "_drydock/health", same_site).status_code == 200
    assert door(anonymous, "POST", "_drydock/reset", same_site).status_code == 403


def test_no_host_at_all(wire):
    """HTTP/1.0 need not name one, and browsers always do."""
    connection = wire()
    connection.send(b"GET /_drydock/health HTTP/1.0\r\n\r\n")
    assert connection.read_response().status == 200

"""A read of storage that fails is neither "there" nor "not there": the answer is a failure, never "not found", an empty list,
"allowed", or anything else that a caller would act upon.

A development build takes failpoints while it runs (POST /_drydock/failpoints). For each request the first step of a statement
is made to fail, then the second, and so on until none is left, and each answer is judged.
"""

import copy
import json
import re
import subprocess
import zlib
from collections import namedtuple

import pytest
from support.api import call
from support.binary import SOURCE, clean_environment, find_binary
from support.failpoints import STEPS_MAX, every_step, every_step_of_writes, need_failpoints, with_failure
from support.fixtures import serve
from support.iam import ACCOUNT, KEYS, REGION, SAMPLE, Signed, options
from support.images import DOCKER_MANIFEST, digest_of, docker_image, oci_artifact, oci_image, oci_index
from support.server import Server
from support.waiting import wait_until

APP, BARE, NOWHERE = "team/app", "team/bare", "team/none"
NO_DIGEST = "sha256:" + "0" * 64
WORDS = "Drydock could not read or write its data: its log says why"
# What is another one each time.
CHANGING = ("downloadUrl", "nextToken", "authorizationData", "Link", "Location", "Docker-Upload-UUID")

Said = namedtuple("Said", "status body headers")


# -- servers ------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    for server in serve(tmp_path_factory):
        need_failpoints(server)
        yield Seed(server)


@pytest.fixture(scope="module")
def by_the_specification(tmp_path_factory):
    for server in serve(tmp_path_factory, "--profile", "oci"):
        need_failpoints(server)
        yield Seed(server)


# -- what is there ------------------------------------------------------------------------------------------------------

def api(server, operation, **body):
    answer = call(server, operation, body)
    return Said(answer.status, {k: v for k, v in answer.document.items() if k not in CHANGING}, {})


def api_failed(said):
    return said.status == 500 and said.body == {"__type": "ServerException", "message": WORDS}


def of_registry(answer):
    body = answer.content
    if answer.headers.get("Content-Type", "").startswith("application/json") and body:
        body = answer.json()
    kept = ("Content-Type", "Content-Length", "Docker-Content-Digest", "OCI-Filters-Applied")
    return Said(answer.status_code, body, {name: answer.headers.get(name) for name in kept} | {
        name: name in answer.headers for name in CHANGING})


def registry_failed(said):
    return said.status == 500 and said.body in (b"", {"errors": [{"code": "UNKNOWN", "message": WORDS}]})


class Seed:
    """A registry with something of everything."""

    def __init__(self, server):
        self.server, ecr = server, server.ecr()
        self.registry = server.registry()
        for name in (APP, BARE):
            ecr.create_repository(repositoryName=name, tags=[{"Key": "k", "Value": "v"}])
        self.profile = f"arn:aws:signer:{REGION}:000000000000:/signing-profiles/one"
        ecr.put_signing_configuration(signingConfiguration={"rules": [{"signingProfileArn": self.profile}]})
        ecr.put_registry_scanning_configuration(scanType="BASIC", rules=[
            {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]}])
        ecr.put_replication_configuration(replicationConfiguration={"rules": [
            {"destinations": [{"region": "eu-west-1", "registryId": "000000000000"}]}]})
        policy = {"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}}
        ecr.set_repository_policy(repositoryName=APP, policyText=json.dumps(policy))
        policy["Statement"]["Resource"] = "*"
        ecr.put_registry_policy(policyText=json.dumps(policy))
        ecr.put_lifecycle_policy(repositoryName=APP, lifecyclePolicyText=json.dumps({"rules": [
            {"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
             "action": {"type": "expire"}}]}))
        ecr.create_repository_creation_template(prefix="made", appliedFor=["CREATE_ON_PUSH"])
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")
        ecr.register_pull_time_update_exclusion(principalArn="arn:aws:iam::000000000000:role/a")
        ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
        self.image, self.docker, self.bare = oci_image(), docker_image(), oci_image(size=100_000)
        self.index = oci_index([oci_image()])
        self.registry.push_image(APP, self.docker, "docker")
        self.registry.push_image(APP, self.image, "v1")
        self.registry.push_image(APP, self.index, "index")
        self.referrer = oci_artifact("application/x.sbom", subject=self.image)
        self.registry.push_image(APP, self.referrer)
        self.registry.push_image(BARE, self.bare, "large")
        self.loose = b"no image has it"
        self.registry.push_blob(APP, self.loose)
        ecr.start_lifecycle_policy_preview(repositoryName=APP)
        wait_until(lambda: ecr.get_lifecycle_policy_preview(repositoryName=APP)["status"] == "COMPLETE")
        self.layer, self.large = self.docker.layers[0].digest, self.bare.layers[0].digest
        self.upload = self.registry.start_upload(APP).headers["Location"]
        self.link = ecr.get_download_url_for_layer(repositoryName=APP, layerDigest=self.layer)["downloadUrl"]
        self.arn = f"arn:aws:ecr:{REGION}:000000000000:repository/{APP}"


# -- the API ------------------------------------------------------------------------------------------------------------

# What is asked of each operation that only reads; of the seed s.
READS = {
    "BatchCheckLayerAvailability": [
        lambda s: {"repositoryName": APP, "layerDigests": [s.layer, NO_DIGEST, s.image.layers[0].digest]},
        lambda s: {"repositoryName": BARE, "layerDigests": [s.large, s.layer]},
        lambda s: {"repositoryName": NOWHERE, "layerDigests": [s.layer]}],
    "BatchGetImage": [
        lambda s: {"repositoryName": APP, "imageIds": [
            {"imageTag": "v1"}, {"imageTag": "none"}, {"imageDigest": s.docker.digest},
            {"imageTag": "docker", "imageDigest": s.docker.digest}, {"imageTag": "v1", "imageDigest": s.docker.digest}]},
        lambda s: {"repositoryName": APP, "imageIds": [{"imageTag": "v1"}], "acceptedMediaTypes": [DOCKER_MANIFEST]},
        lambda s: {"repositoryName": APP, "imageIds": [{"imageDigest": NO_DIGEST}]}],
    "BatchGetRepositoryScanningConfiguration": [lambda s: {"repositoryNames": [APP, NOWHERE]}],
    "DescribeImageReplicationStatus": [lambda s: {"repositoryName": APP, "imageId": {"imageTag": "v1"}}],
    "DescribeImageScanFindings": [
        lambda s: {"repositoryName": APP, "imageId": {"imageTag": "v1"}},
        lambda s: {"repositoryName": APP, "imageId": {"imageTag": "none"}}],
    "DescribeImageSigningStatus": [
        lambda s: {"repositoryName": APP, "imageId": {"imageTag": "v1"}}],
    "DescribeImages": [
        lambda s: {"repositoryName": APP}, lambda s: {"repositoryName": NOWHERE},
        lambda s: {"repositoryName": APP, "maxResults": 1},
        lambda s: {"repositoryName": APP, "filter": {"tagStatus": "TAGGED"}},
        lambda s: {"repositoryName": APP, "filter": {"imageStatus": "ANY"}},
        lambda s: {"repositoryName": APP, "imageIds": [{"imageTag": "v1"}, {"imageDigest": s.docker.digest}]},
        lambda s: {"repositoryName": APP, "imageIds": [{"imageTag": "v1"}, {"imageTag": "none"}]}],
    "DescribePullThroughCacheRules": [
        lambda s: {}, lambda s: {"ecrRepositoryPrefixes": ["quay"]}, lambda s: {"ecrRepositoryPrefixes": ["none"]}],
    "DescribeRegistry": [lambda s: {}],
    "DescribeRepositories": [
        lambda s: {}, lambda s: {"maxResults": 1}, lambda s: {"repositoryNames": [APP, BARE]},
        lambda s: {"repositoryNames": [APP, NOWHERE]}],
    "DescribeRepositoryCreationTemplates": [
        lambda s: {}, lambda s: {"prefixes": ["made"]}, lambda s: {"prefixes": ["none"]}],
    "GetAccountSetting": [lambda s: {"name": "BLOB_MOUNTING"}, lambda s: {"name": "REGISTRY_POLICY_SCOPE"}],
    "GetAuthorizationToken": [lambda s: {}],
    "GetDownloadUrlForLayer": [
        lambda s: {"repositoryName": APP, "layerDigest": s.layer},
        lambda s: {"repositoryName": BARE, "layerDigest": s.large},
        lambda s: {"repositoryName": APP, "layerDigest": digest_of(s.loose)},
        lambda s: {"repositoryName": APP, "layerDigest": NO_DIGEST}],
    "GetLifecyclePolicy": [
        lambda s: {"repositoryName": APP}, lambda s: {"repositoryName": BARE}, lambda s: {"repositoryName": NOWHERE}],
    "GetLifecyclePolicyPreview": [
        lambda s: {"repositoryName": APP}, lambda s: {"repositoryName": BARE},
        lambda s: {"repositoryName": APP, "filter": {"tagStatus": "TAGGED"}, "maxResults": 1},
        lambda s: {"repositoryName": APP, "imageIds": [
            {"imageTag": "docker"}, {"imageDigest": s.docker.digest}, {"imageTag": "none"}, {"imageDigest": NO_DIGEST}]}],
    "GetRegistryPolicy": [lambda s: {}],
    "GetRegistryScanningConfiguration": [lambda s: {}],
    "GetRepositoryPolicy": [
        lambda s: {"repositoryName": APP}, lambda s: {"repositoryName": BARE}, lambda s: {"repositoryName": NOWHERE}],
    "GetSigningConfiguration": [lambda s: {}],
    "ListImageReferrers": [
        lambda s: {"repositoryName": APP, "subjectId": {"imageDigest": s.image.digest}},
        lambda s: {"repositoryName": APP, "subjectId": {"imageDigest": s.image.digest},
                   "filter": {"artifactTypes": ["application/x.sbom"]}},
        lambda s: {"repositoryName": APP, "subjectId": {"imageDigest": NO_DIGEST}}],
    "ListImages": [
        lambda s: {"repositoryName": APP}, lambda s: {"repositoryName": APP, "maxResults": 2},
        lambda s: {"repositoryName": APP, "filter": {"tagStatus": "UNTAGGED"}},
        lambda s: {"repositoryName": APP, "filter": {"imageStatus": "ANY"}}, lambda s: {"repositoryName": NOWHERE}],
    "ListPullTimeUpdateExclusions": [lambda s: {}],
    "ListTagsForResource": [lambda s: {"resourceArn": s.arn}, lambda s: {"resourceArn": s.arn + "x"}],
    "ValidatePullThroughCacheRule": [
        lambda s: {"ecrRepositoryPrefix": "quay"}, lambda s: {"ecrRepositoryPrefix": "none"}],
}
# All that the one says is sealed in the token; what the other asks about is in memory and in a file.
READS_NOTHING = {"GetAuthorizationToken", "UploadLayerPart"}


def offered():
    return re.findall(r'^    \{"(\w+)", op_', (SOURCE / "server/ecr/operations.c").read_text(), re.MULTILINE)


def test_every_operation_that_reads_is_asked():
    assert len(offered()) > 50
    assert set(READS) == {name for name in offered() if re.match("Describe|Get|List|BatchGet|BatchCheck|Validate", name)}


@pytest.mark.parametrize("operation", sorted(READS))
def test_the_api(seeded, operation):
    for body in READS[operation]:
        asked = body(seeded)
        steps = every_step(seeded.server, lambda asked=asked: api(seeded.server, operation, **asked), api_failed)
        assert (steps > 0) != (operation in READS_NOTHING), f"{asked}: {steps} steps"


def test_a_layer_that_must_be_renewed(make_server):
    """Whether a layer that no image holds is about to be collected is a read as well."""
    server = make_server("--gc-grace", "3600")
    need_failpoints(server)
    server.ecr().create_repository(repositoryName=APP)
    registry = server.registry()
    asked = {"repositoryName": APP, "layerDigests": [digest_of(b"loose")]}

    def let_fade(_):
        assert registry.push_blob(APP, b"loose").status_code == 201
        server.advance(600)

    def ask(_):
        return api(server, "BatchCheckLayerAvailability", **asked)

    def there(_, answer):
        return answer.status == 200 and answer.body["layers"][0]["layerAvailability"] == "AVAILABLE"

    def renewed(name, answer):
        server.advance(3300)  # it is young, or the collection takes it
        server.admin("POST", "gc")
        return there(name, answer) and there(name, api(server, "BatchCheckLayerAvailability", **asked))

    assert every_step_of_writes(server, ask, renewed, api_failed, let_fade) > 2
    registry.close()


# -- the registry -------------------------------------------------------------------------------------------------------

ROUTES = {
    "catalog": lambda s: "_catalog",
    "catalog, a page": lambda s: "_catalog?n=1",
    "tags": lambda s: f"{APP}/tags/list",
    "tags, a page": lambda s: f"{APP}/tags/list?n=1",
    "tags of nothing": lambda s: f"{NOWHERE}/tags/list",
    "referrers": lambda s: f"{APP}/referrers/{s.image.digest}",
    "referrers of a type": lambda s: f"{APP}/referrers/{s.image.digest}?artifactType=application/x.sbom",
    "referrers of nothing": lambda s: f"{NOWHERE}/referrers/{s.image.digest}",
    "manifest by tag": lambda s: f"{APP}/manifests/v1",
    "manifest by digest": lambda s: f"{APP}/manifests/{s.docker.digest}",
    "manifest, none": lambda s: f"{APP}/manifests/none",
    "manifest of nothing": lambda s: f"{NOWHERE}/manifests/v1",
    "blob": lambda s: f"{APP}/blobs/{s.layer}",
    "blob, in a file": lambda s: f"{BARE}/blobs/{s.large}",
    "blob, none": lambda s: f"{APP}/blobs/{NO_DIGEST}",
    "blob of nothing": lambda s: f"{NOWHERE}/blobs/{NO_DIGEST}",
    "upload": lambda s: s.upload,
}


@pytest.mark.parametrize("profile", ["seeded", "by_the_specification"])
@pytest.mark.parametrize("route", sorted(ROUTES))
def test_the_registry(request, profile, route):
    seed = request.getfixturevalue(profile)
    path = ROUTES[route](seed)
    for method in ("GET", "HEAD"):
        for accept in ("*/*", DOCKER_MANIFEST):
            def ask(method=method, accept=accept):
                return of_registry(seed.registry.request(method, path, headers={"Accept": accept}))

            every_step(seed.server, ask, registry_failed)


def test_the_log_says_why(seeded):
    for name, ask in (("ListImages", lambda: api(seeded.server, "ListImages", repositoryName=APP)),
                      ("ListTags", lambda: of_registry(seeded.registry.tags(APP)))):
        answer, fired = with_failure(seeded.server, 1, ask)
        assert answer.status == 500 and fired == 1
        line = next(line for line in reversed(seeded.server.log().splitlines()) if f" {name} " in line)
        assert line.endswith("(a failpoint)"), line


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_link_to_a_layer(seeded, method):
    def ask():
        return of_registry(seeded.registry.request(method, seeded.link))

    def failed(said):
        return said.status == 500 and said.body in (b"", b"The layer could not be read.\n", b"The layer could not be read.")

    assert every_step(seeded.server, ask, failed) > 0


# -- who may ----------------------------------------------------------------------------------------------------------

DENY = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "*", "Resource": "*"},
    {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/secret": "yes"}}}]}
SECRET, PLAIN, BY_POLICY = "secret", "plain", "by-policy"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server whose user "pipeline" may do all but where a tag forbids it."""
    accounts = json.loads(SAMPLE.read_text())
    accounts["accounts"][ACCOUNT]["users"]["pipeline"]["policies"] = {"deny": copy.deepcopy(DENY)}
    file = tmp_path_factory.mktemp("iam") / "iam.json"
    file.write_text(json.dumps(accounts))
    for server in serve(tmp_path_factory, *options(file)):
        need_failpoints(server)
        yield server, seed_guarded(server)


def seed_guarded(server):
    image = oci_image()
    ecr = server.ecr(access_key=KEYS["admin"][0], secret_key=KEYS["admin"][1])
    registry = server.registry(server.token(access_key=KEYS["admin"][0], secret_key=KEYS["admin"][1]))
    for name, value in ((SECRET, "yes"), (PLAIN, "no"), (BY_POLICY, "no")):
        ecr.create_repository(repositoryName=name, tags=[{"Key": "secret", "Value": value}])
        registry.push_image(name, image, "v1")
    ecr.set_repository_policy(repositoryName=BY_POLICY, policyText=json.dumps({
        "Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": [
            "ecr:DescribeImages", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]}}))
    registry.close()
    return image


OPERATIONS = {
    "DescribeImages": {"repositoryName": ""},
    "BatchGetImage": {"repositoryName": "", "imageIds": [{"imageTag": "v1"}]},
    "ListTagsForResource": {"resourceArn": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/"},
    "DescribeRepositories": {"repositoryNames": [""]},
}


@pytest.mark.parametrize("repository", [SECRET, PLAIN, BY_POLICY])
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_a_decision_of_the_api(guarded, operation, repository):
    server, _ = guarded
    body = {k: [v[0] + repository] if v == [""] else v + repository if isinstance(v, str) else v
            for k, v in OPERATIONS[operation].items()}

    def ask():
        answer = Signed(server, "pipeline", operation=operation, body=json.dumps(body).encode()).send()
        document = answer.json()
        return Said(answer.status_code, document, {})

    denied = repository == SECRET or (
        repository == BY_POLICY and operation in ("DescribeImages", "BatchGetImage"))
    assert ask().status == (400 if denied else 200)
    assert every_step(server, ask, api_failed) > 2


@pytest.mark.parametrize("repository", [SECRET, PLAIN, BY_POLICY])
@pytest.mark.parametrize("path", ["manifests/v1", "blobs/", "tags/list", "referrers/"])
def test_a_decision_of_the_registry(guarded, path, repository):
    server, image = guarded
    registry = server.registry(server.token(access_key=KEYS["pipeline"][0], secret_key=KEYS["pipeline"][1]))
    path = path + (image.layers[0].digest if path == "blobs/" else image.digest if path == "referrers/" else "")
    for method in ("GET", "HEAD"):
        def ask(method=method):
            return of_registry(registry.request(method, f"{repository}/{path}"))

        denied = repository == SECRET or (repository == BY_POLICY and path != "tags/list" and (
            method == "GET" or "blobs" not in path))
        assert ask().status == (403 if denied else 200)
        assert every_step(server, ask, registry_failed) > 2
    registry.close()


@pytest.mark.parametrize("source", [SECRET, PLAIN, BY_POLICY])
def test_a_decision_about_a_mount(guarded, source):
    """Who may not read the source begins an upload instead; who cannot be told that has to hear so."""
    server, image = guarded
    admin = server.ecr(access_key=KEYS["admin"][0], secret_key=KEYS["admin"][1])
    admin.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    registry = server.registry(server.token(access_key=KEYS["pipeline"][0], secret_key=KEYS["pipeline"][1]))

    def prepare(name):
        admin.create_repository(repositoryName=f"{source}-{name}")

    def ask(name):
        return of_registry(registry.start_upload(f"{source}-{name}", mount=image.layers[0].digest, **{"from": source}))

    def right(_, answer):
        return answer.status == (201 if source == PLAIN else 202)

    assert every_step_of_writes(server, ask, right, registry_failed, prepare) > 3
    registry.close()


# -- writes that look first ----------------------------------------------------------------------------------------------

def manifest_there(seed, name, image):
    answer = seed.registry.get_manifest(name, "v1")
    return answer.status_code == 200 and answer.content == image.manifest


@pytest.mark.parametrize("profile", ["seeded", "by_the_specification"])
def test_an_upload_that_makes_its_repository(request, profile):
    seed = request.getfixturevalue(profile)

    def ask(name):
        return of_registry(seed.registry.start_upload(f"made/{profile}-up-{name}"))

    def right(name, answer):
        return answer.status == 202 and seed.registry.tags(f"made/{profile}-up-{name}").status_code == 200

    assert every_step_of_writes(seed.server, ask, right, registry_failed) > 3


@pytest.mark.parametrize("profile", ["seeded", "by_the_specification"])
def test_a_mount(request, profile):
    """Into a repository that is there, and into one that the mount makes."""
    seed = request.getfixturevalue(profile)
    for prefix in ("mount/", f"made/{profile}-mount-"):
        def prepare(name, prefix=prefix):
            if prefix == "mount/":
                seed.server.ecr().create_repository(repositoryName=prefix + name)

        def ask(name, prefix=prefix):
            return of_registry(seed.registry.start_upload(prefix + name, mount=seed.layer, **{"from": APP}))

        def right(name, answer, prefix=prefix):
            return answer.status == 201 and seed.registry.head_blob(prefix + name, seed.layer).status_code == 200

        assert every_step_of_writes(seed.server, ask, right, registry_failed, prepare) > 3


def test_a_push_of_a_manifest_makes_its_repository(seeded):
    """An artifact without layers of its own can come first."""
    image = oci_index([])

    def ask(name):
        return of_registry(seeded.registry.put_manifest(f"made/put-{name}", "v1", image.manifest, image.media_type))

    def right(name, answer):
        return answer.status == 201 and manifest_there(seeded, f"made/put-{name}", image)

    assert every_step_of_writes(seeded.server, ask, right, registry_failed) > 3


# method, what is written to (made first), the body, the status of success
SENT = {
    "append": ("PATCH", lambda s, name: upload_of(s), lambda name: name.encode(), 202),
    "finish": ("PUT", lambda s, name: upload_of(s) + f"?digest={digest_of(name.encode())}", lambda name: name.encode(), 201),
    "cancel": ("DELETE", lambda s, name: upload_of(s), None, 204),
    "delete by tag": ("DELETE", lambda s, name: tagged(s, name), None, 202),
    "delete by digest": ("DELETE", lambda s, name: f"{BARE}/manifests/{pushed(s)}", None, 202),
    "delete a blob": ("DELETE", lambda s, name: f"{BARE}/blobs/{loose(s, name)}", None, 202),
}


def upload_of(s):
    return s.registry.start_upload(BARE).headers["Location"]


def tagged(s, name):
    assert s.registry.put_manifest(BARE, f"t-{name}", s.bare.manifest, s.bare.media_type).status_code == 201
    return f"{BARE}/manifests/t-{name}"


def pushed(s):
    image = oci_image()
    s.registry.push_image(BARE, image)
    return image.digest


def loose(s, name):
    assert s.registry.push_blob(BARE, name.encode()).status_code == 201
    return digest_of(name.encode())


@pytest.mark.parametrize("sent", sorted(SENT))
def test_what_is_sent_to_the_registry(by_the_specification, sent):
    s, paths = by_the_specification, {}
    method, path, body, status = SENT[sent]

    def prepare(name):
        paths[name] = path(s, f"{name}-{sent}".replace(" ", "-"))

    def ask(name):
        data = body and body(f"{name}-{sent}".replace(" ", "-"))
        return of_registry(s.registry.request(method, paths[name], data=data))

    steps = every_step_of_writes(s.server, ask, lambda _, answer: answer.status == status, registry_failed, prepare)
    assert (steps > 0) != (sent == "append")  # to a file, by what is known of the session in memory


def test_batch_delete_image(seeded):
    def prepare(name):
        seeded.registry.put_manifest(BARE, f"gone-{name}", seeded.bare.manifest, seeded.bare.media_type)

    def ask(name):
        return api(seeded.server, "BatchDeleteImage", repositoryName=BARE, imageIds=[{"imageTag": f"gone-{name}"}])

    def right(name, answer):
        return answer.status == 200 and answer.body["failures"] == [] and answer.body["imageIds"] == [
            {"imageDigest": seeded.bare.digest, "imageTag": f"gone-{name}"}]

    assert every_step_of_writes(seeded.server, ask, right, api_failed, prepare) > 3


# What is asked of each operation that writes: of the seed s, and of a new repository r with an image, a tag and policies. What
# is to be there besides is made where the request is.
def _part(s, r, finish):
    ecr = s.server.ecr()
    upload = ecr.initiate_layer_upload(repositoryName=r)["uploadId"]
    if finish:
        ecr.upload_layer_part(repositoryName=r, uploadId=upload, partFirstByte=0, partLastByte=len(r) - 1,
                              layerPartBlob=r.encode())
    return {"repositoryName": r, "uploadId": upload}


def _made(s, operation, **body):
    assert api(s.server, operation, **body).status == 200
    return body


def _prefix(r):
    return f"p{zlib.crc32(r.encode())}"


def _rule(s, r):
    return _made(s, "CreatePullThroughCacheRule", ecrRepositoryPrefix=_prefix(r), upstreamRegistryUrl="quay.io")


def _template(s, r):
    return _made(s, "CreateRepositoryCreationTemplate", prefix=_prefix(r), appliedFor=["REPLICATION"])


def _principal(r):
    return f"arn:aws:iam::000000000000:role/{_prefix(r)}"


def _arn(r):
    return f"arn:aws:ecr:{REGION}:000000000000:repository/{r}"


def _only(body, *members):
    return {name: body[name] for name in members}


LIFECYCLE = json.dumps({"rules": [
    {"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
     "action": {"type": "expire"}}]})
POLICY = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}}
REGISTRY_POLICY = {"Version": "2012-10-17", "Statement": POLICY["Statement"] | {"Resource": "*"}}
WRITES = {
    "BatchDeleteImage": lambda s, r: {"repositoryName": r, "imageIds": [{"imageTag": "v1"}]},
    "CompleteLayerUpload": lambda s, r: _part(s, r, True) | {"layerDigests": [digest_of(r.encode())]},
    "CreatePullThroughCacheRule": lambda s, r: {"ecrRepositoryPrefix": _prefix(r), "upstreamRegistryUrl": "quay.io"},
    "CreateRepository": lambda s, r: {"repositoryName": r + "-new", "tags": [{"Key": "k", "Value": "v"}]},
    "CreateRepositoryCreationTemplate": lambda s, r: {"prefix": _prefix(r), "appliedFor": ["REPLICATION"]},
    "DeleteLifecyclePolicy": lambda s, r: {"repositoryName": r},
    "DeletePullThroughCacheRule": lambda s, r: _only(_rule(s, r), "ecrRepositoryPrefix"),
    "DeleteRegistryPolicy": lambda s, r: _made(s, "PutRegistryPolicy", policyText=json.dumps(REGISTRY_POLICY)) and {},
    "DeleteRepository": lambda s, r: {"repositoryName": r, "force": True},
    "DeleteRepositoryCreationTemplate": lambda s, r: _only(_template(s, r), "prefix"),
    "DeleteRepositoryPolicy": lambda s, r: {"repositoryName": r},
    "DeleteSigningConfiguration": lambda s, r: _made(s, "PutSigningConfiguration", signingConfiguration={
        "rules": [{"signingProfileArn": s.profile}]}) and {},
    "DeregisterPullTimeUpdateExclusion": lambda s, r: _made(
        s, "RegisterPullTimeUpdateExclusion", principalArn=_principal(r)),
    "InitiateLayerUpload": lambda s, r: {"repositoryName": r},
    "PutAccountSetting": lambda s, r: {"name": "BLOB_MOUNTING", "value": "ENABLED"},
    "PutImage": lambda s, r: {"repositoryName": r, "imageTag": "v2", "imageManifest": s.image.manifest.decode(),
                              "imageManifestMediaType": s.image.media_type},
    "PutImageScanningConfiguration": lambda s, r: {"repositoryName": r, "imageScanningConfiguration": {"scanOnPush": True}},
    "PutImageTagMutability": lambda s, r: {"repositoryName": r, "imageTagMutability": "IMMUTABLE"},
    "PutLifecyclePolicy": lambda s, r: {"repositoryName": r, "lifecyclePolicyText": LIFECYCLE},
    "PutRegistryPolicy": lambda s, r: {"policyText": json.dumps(REGISTRY_POLICY)},
    "PutRegistryScanningConfiguration": lambda s, r: {"scanType": "BASIC", "rules": []},
    "PutReplicationConfiguration": lambda s, r: {"replicationConfiguration": {"rules": []}},
    "PutSigningConfiguration": lambda s, r: {"signingConfiguration": {"rules": [{"signingProfileArn": s.profile}]}},
    "RegisterPullTimeUpdateExclusion": lambda s, r: {"principalArn": _principal(r)},
    "SetRepositoryPolicy": lambda s, r: {"repositoryName": r, "policyText": json.dumps(POLICY)},
    "StartImageScan": lambda s, r: {"repositoryName": r, "imageId": {"imageTag": "v1"}},
    "StartLifecyclePolicyPreview": lambda s, r: {"repositoryName": r},
    "TagResource": lambda s, r: {"resourceArn": _arn(r), "tags": [{"Key": "l", "Value": "v"}]},
    "UntagResource": lambda s, r: {"resourceArn": _arn(r), "tagKeys": ["k"]},
    "UpdateImageStorageClass": lambda s, r: {
        "repositoryName": r, "imageId": {"imageTag": "v1"}, "targetStorageClass": "ARCHIVE"},
    "UpdatePullThroughCacheRule": lambda s, r: _only(_rule(s, r), "ecrRepositoryPrefix") | {
        "customRoleArn": _principal(r)},
    "UpdateRepositoryCreationTemplate": lambda s, r: _only(_template(s, r), "prefix") | {"description": "new"},
    "UploadLayerPart": lambda s, r: _part(s, r, False) | {
        "partFirstByte": 0, "partLastByte": 1, "layerPartBlob": "AAA="},
}
# Those that are refused for what is there already, or is not.
REFUSED = {
    "exists": ("CreateRepository", lambda s, r: {"repositoryName": r}),
    "rule exists": ("CreatePullThroughCacheRule", _rule),
    "template exists": ("CreateRepositoryCreationTemplate", _template),
    "excluded already": ("RegisterPullTimeUpdateExclusion", lambda s, r: _made(
        s, "RegisterPullTimeUpdateExclusion", principalArn=_principal(r))),
    "not empty": ("DeleteRepository", lambda s, r: {"repositoryName": r}),
    "immutable": ("PutImage", lambda s, r: _made(
        s, "PutImageTagMutability", repositoryName=r, imageTagMutability="IMMUTABLE") and {
            "repositoryName": r, "imageTag": "v1", "imageManifest": s.image.manifest.decode() + " ",
            "imageManifestMediaType": s.image.media_type}),
    "no layers": ("PutImage", lambda s, r: {
        "repositoryName": r, "imageTag": "v1", "imageManifest": s.docker.manifest.decode()}),
    "no repository": ("InitiateLayerUpload", lambda s, r: {"repositoryName": NOWHERE}),
    "no upload": ("CompleteLayerUpload", lambda s, r: {
        "repositoryName": r, "uploadId": "00000000-0000-4000-8000-000000000000", "layerDigests": [NO_DIGEST]}),
    "no policy": ("DeleteLifecyclePolicy", lambda s, r: {"repositoryName": BARE}),
    "no policy to preview": ("StartLifecyclePolicyPreview", lambda s, r: {"repositoryName": BARE}),
    "no image": ("StartImageScan", lambda s, r: {"repositoryName": r, "imageId": {"imageTag": "none"}}),
    "scanned today": ("StartImageScan", lambda s, r: _made(
        s, "StartImageScan", repositoryName=r, imageId={"imageTag": "v1"})),
    "locks out": ("SetRepositoryPolicy", lambda s, r: {"repositoryName": r, "policyText": json.dumps({
        "Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "*"}})}),
    "not archived": ("UpdateImageStorageClass", lambda s, r: {
        "repositoryName": r, "imageId": {"imageTag": "v1"}, "targetStorageClass": "STANDARD"}),
    "no rule": ("UpdatePullThroughCacheRule", lambda s, r: {"ecrRepositoryPrefix": "none", "customRoleArn": _principal(r)}),
    "no template": ("UpdateRepositoryCreationTemplate", lambda s, r: {"prefix": "none", "description": "new"}),
}


def test_every_operation_that_writes_is_asked():
    assert set(WRITES) == set(offered()) - set(READS)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    for server in serve(tmp_path_factory):
        need_failpoints(server)
        yield Seed(server)


def hold_writes(seed, operation, body_of, where, status):
    """Requests of one kind, each about a repository of its own: how many steps there are."""
    bodies, ecr = {}, seed.server.ecr()

    def prepare(name):
        repository = f"{where}/{name}"
        ecr.create_repository(repositoryName=repository, tags=[{"Key": "k", "Value": "v"}])
        seed.registry.push_image(repository, seed.image, "v1")
        ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=LIFECYCLE)
        ecr.set_repository_policy(repositoryName=repository, policyText=json.dumps(POLICY))
        bodies[name] = body_of(seed, repository)

    def ask(name):
        return api(seed.server, operation, **bodies[name])

    def right(name, answer):
        return answer.status == status and not answer.body.get("failures")

    return every_step_of_writes(seed.server, ask, right, api_failed, prepare)


@pytest.mark.parametrize("operation", sorted(WRITES))
def test_an_operation_that_writes(written, operation):
    steps = hold_writes(written, operation, WRITES[operation], f"w{operation.lower()}", 200)
    assert (steps > 0) != (operation in READS_NOTHING)


@pytest.mark.parametrize("why", sorted(REFUSED))
def test_an_operation_that_is_refused(written, why):
    operation, body_of = REFUSED[why]
    assert hold_writes(written, operation, body_of, "r" + why.replace(" ", "-"), 400) > 0


def test_a_collection(make_server):
    """What a collection says of the layers that wait."""
    server = make_server()
    need_failpoints(server)
    server.ecr().create_repository(repositoryName=APP)
    registry, pushed = server.registry(), (b"one", b"another")
    for data in pushed:
        assert registry.push_blob(APP, data).status_code == 201

    def ask():
        answer = server._anonymous.post(f"{server.url}/_drydock/gc", timeout=30)
        return Said(answer.status_code, answer.json(), {})

    def failed(answer):
        return answer.status == 500 and answer.body == {"message": WORDS}

    assert ask().body["waiting_bytes"] == len(b"".join(pushed))
    assert every_step(server, ask, failed) > 3
    registry.close()


def test_a_sweep(make_server, tmp_path):
    """The first collection after a crash has removed all files that have no row, or does not say that it is over."""
    server = make_server(data=tmp_path / "data")
    need_failpoints(server)
    left = tmp_path / "data/blobs/sha256/ab" / ("ab" * 32)

    def prepare(_):
        if not left.exists():
            server.kill()
            left.parent.mkdir(parents=True, exist_ok=True)
            left.write_bytes(b"left over")
            server.start()

    def ask(_):
        answer = server._anonymous.post(f"{server.url}/_drydock/gc", timeout=30)
        return Said(answer.status_code, answer.json(), {})

    def right(_, answer):
        return answer.status == 200 and not left.exists()

    def failed(answer):
        return answer.status == 500 and answer.body == {"message": WORDS}

    assert every_step_of_writes(server, ask, right, failed, prepare) > 3


# -- what goes through a whole store ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("named", [True, False], ids=["one repository", "all"])
def test_a_lifecycle_run(make_server, named):
    """A run that says it is over has removed all that it should have: here referrers whose subject was deleted."""
    server = make_server()
    need_failpoints(server)
    ecr, registry = server.ecr(), server.registry()
    ecr.create_repository(repositoryName=APP)
    ecr.put_lifecycle_policy(repositoryName=APP, lifecyclePolicyText=json.dumps({"rules": [
        {"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
         "action": {"type": "expire"}}]}))
    made = []

    def prepare(name):
        subject, made[:] = oci_image(), made + [name]
        ecr.create_repository(repositoryName=name)
        registry.push_image(name, subject, "v1")
        registry.push_image(name, oci_artifact("application/x.sbom", subject=subject))
        ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": subject.digest}])

    def ask(name):
        answer = server._anonymous.post(
            f"{server.url}/_drydock/lifecycle/run", data=json.dumps({"repositoryName": name} if named else {}), timeout=30)
        return Said(answer.status_code, answer.json(), {})

    def right(name, answer):
        return answer.status == 200 and not any(
            ecr.list_images(repositoryName=one)["imageIds"] for one in ([name] if named else made))

    def failed(answer):
        return answer.status == 500 and answer.body == {"message": WORDS}

    assert every_step_of_writes(server, ask, right, failed, prepare) > 10
    registry.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder with an index, its images, a referrer and policies."""
    where = tmp_path_factory.mktemp("folder")
    server = Server(folder=where, data=where / "data").start()
    try:
        need_failpoints(server)
        ecr, registry = server.ecr(), server.registry()
        ecr.create_repository(repositoryName=APP, tags=[{"Key": "secret", "Value": "yes"}])
        image = oci_image(size=100_000)
        registry.push_image(APP, oci_index([image]), "v1")
        registry.push_image(APP, oci_artifact("application/x.sbom", subject=image))
        ecr.put_lifecycle_policy(repositoryName=APP, lifecyclePolicyText=json.dumps({"rules": [
            {"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
             "action": {"type": "expire"}}]}))
        registry.close()
    finally:
        server.stop()
    (where / "policy.json").write_text(json.dumps(DENY))
    return where


VERBS = {
    "check": ["check", "--json"],
    "repair": ["check", "--repair", "--json"],
    "lifecycle": ["lifecycle", "explain", "--json"],
    "policy": ["policy", "explain", "--json", "--principal", "arn:aws:iam::000000000000:role/ci", "--action",
               "ecr:PutImage", "--resource", f"arn:aws:ecr:us-east-1:000000000000:repository/{APP}", "--identity"],
}


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_verb_on_a_data_folder(folder, verb):
    """It fails, or says what it says of the folder, which has no fault: never anything else."""
    words = VERBS[verb] + ([str(folder / "policy.json")] if verb == "policy" else [])

    def run(**environment):
        done = subprocess.run(
            [find_binary(), *words, "--data", str(folder / "data")], capture_output=True, text=True, timeout=60,
            env=clean_environment(**environment))
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
        return done

    before = run()
    failures = right = 0
    assert before.returncode == 0, before.stderr
    for step in range(1, STEPS_MAX):
        done = run(DRYDOCK_FAIL=f"sql:{step}")
        if done.returncode == 0:
            assert stable(done.stdout) == stable(before.stdout), f"step {step}"
            right += 1
        else:
            assert '"findings":[{' not in done.stdout.replace(" ", "") and '"kind"' not in done.stdout, f"step {step}: {done.stdout}"
            assert "failpoint" in done.stderr or "could not" in done.stderr or "cannot" in done.stderr, done.stderr
            failures += 1
        if right == 3:
            break
    assert failures >= 2 and right == 3
    assert stable(run().stdout) == stable(before.stdout)


def stable(text):
    return re.sub(r'"at":"[^"]*"', "", text)

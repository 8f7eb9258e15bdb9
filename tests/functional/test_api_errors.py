"""What the model declares of each operation: some test has seen it succeed, page, and refuse with each of its errors; or it is
said here why nothing can.

What was answered is noted by support.shapes as it comes; the last test of the run holds it against the model.
"""

import sqlite3

import pytest
from support.api import call
from support.images import oci_image
from support.refusals import ACCOUNT
from support.server import Server
from support.shapes import MODEL, SEEN_ERRORS, SEEN_PAGES, SEEN_SUCCESS

OPERATIONS = sorted(MODEL["operations"])


def declaring(error):
    return {name for name in OPERATIONS if error in MODEL["operations"][name]["errors"]}


def required(operation):
    return MODEL["shapes"].get(MODEL["operations"][operation].get("input"), {}).get("required", [])


# -- of every operation -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("operation", [name for name in OPERATIONS if required(name)])
def test_required_members(drydock, operation):
    """Each of them by itself: the others are there."""
    for missing in required(operation):
        body = {name: SAMPLES[name] for name in required(operation) if name != missing}
        answer = call(drydock, operation, body)
        assert (answer.status, answer.code) == (400, "InvalidParameterException")
        assert answer.message == (
            f"Invalid parameter at '{missing}' failed to satisfy constraint: 'Member must not be null'")


DIGEST = "sha256:" + "0" * 64
ALLOW = (
    '{"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "Allow", "Principal": {"AWS": "%s"}, '
    '"Action": "ecr:ReplicateImage"}]}' % ACCOUNT)
# What an operation is content with, by the names of required members.
SAMPLES = {
    "appliedFor": ["CREATE_ON_PUSH"],
    "ecrRepositoryPrefix": "public",
    "imageId": {"imageTag": "v1"},
    "imageIds": [{"imageTag": "v1"}],
    "imageManifest": oci_image().manifest.decode(),
    "imageScanningConfiguration": {"scanOnPush": True},
    "imageTagMutability": "IMMUTABLE",
    "layerDigest": DIGEST,
    "layerDigests": [DIGEST],
    "layerPartBlob": "AAAA",
    "lifecyclePolicyText": (
        '{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", '
        '"countNumber": 1}, "action": {"type": "expire"}}]}'),
    "name": "BLOB_MOUNTING",
    "partFirstByte": 0,
    "partLastByte": 2,
    "policyText": ALLOW,
    "prefix": "team",
    "principalArn": f"arn:aws:iam::{ACCOUNT}:role/nobody",
    "replicationConfiguration": {"rules": []},
    "repositoryName": "team/app",
    "repositoryNames": ["team/app"],
    "resourceArn": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/app",
    "signingConfiguration": {"rules": []},
    "subjectId": {"imageDigest": DIGEST},
    "tagKeys": ["owner"],
    "tags": [{"Key": "owner", "Value": "team"}],
    "targetStorageClass": "ARCHIVE",
    "uploadId": "00000000-0000-4000-8000-000000000000",
    "upstreamRegistryUrl": "public.ecr.aws",
    "value": "ENABLED",
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_members_of_other_operations(drydock, operation):
    """They name nothing: the answer is the same, and has no member that the model does not know (support.shapes)."""
    taken = MODEL["shapes"].get(MODEL["operations"][operation].get("input"), {}).get("members", {})
    body = {name: SAMPLES[name] for name in required(operation)}
    extra = {name: value for name, value in (SAMPLES | {"registryId": "999999999999"}).items() if name not in taken}
    answers = []
    for sent in (body, body | extra):
        drydock.reset()
        call(drydock, "CreateRepository", {"repositoryName": "team/app"})
        call(drydock, "PutRegistryPolicy", {"policyText": ALLOW})
        drydock.registry().push_image("team/app", oci_image(), "v1")
        answers.append(call(drydock, operation, sent))
    plain, answer = answers
    assert (answer.status, answer.code) == (plain.status, plain.code)
    for name in ("registryId", "repositoryName"):
        assert answer.document.get(name) == plain.document.get(name)


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """A server whose database has lost its tables behind its back, and the id of an upload that has a part already."""
    folder = tmp_path_factory.mktemp("broken")
    server = Server(folder=folder, data=folder / "data").start()
    ecr = server.ecr()
    ecr.create_repository(repositoryName="team/app")
    upload = ecr.initiate_layer_upload(repositoryName="team/app")["uploadId"]
    ecr.upload_layer_part(
        repositoryName="team/app", uploadId=upload, partFirstByte=0, partLastByte=2, layerPartBlob=b"one")
    database = sqlite3.connect(server.data / "drydock.db", timeout=30)
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    for name, in tables.fetchall():
        database.execute(f'ALTER TABLE "{name}" RENAME TO "gone_{name}"')
    database.commit()
    database.close()
    yield server, upload
    server.check()
    server.kill()


# A token is made of a key in memory, and parts go to files: test_disk_full.py has the disk that fails for those.
WITHOUT_DATABASE = {"GetAuthorizationToken", "UploadLayerPart"}


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name not in WITHOUT_DATABASE])
def test_a_database_that_fails(broken, operation):
    server, upload = broken
    body = {name: SAMPLES[name] for name in required(operation)}
    if "uploadId" in body:
        body["uploadId"] = upload
    answer = call(server, operation, body)
    assert (answer.status, answer.code) == (500, "ServerException"), answer
    assert answer.message == "Drydock could not read or write its data: its log says why"


# -- the walk ---------------------------------------------------------------------------------------------------------

NO_PARAMETERS = {
    "DeleteRegistryPolicy", "DescribeRegistry", "GetRegistryPolicy", "GetRegistryScanningConfiguration",
    "GetSigningConfiguration"}
# (error, why no request can provoke it here, of which of the operations that declare it).
NEVER = [
    ("InvalidParameterException", "the operation takes no parameters", NO_PARAMETERS),
    ("ValidationException", "what is wrong with a request is said as InvalidParameterException, as older operations say it",
     declaring("ValidationException") - {"StartImageScan"}),
    ("ServerException", "it needs nothing but a key in memory", {"GetAuthorizationToken"}),
    ("LimitExceededException", "nothing grows by it", {
        "DeregisterPullTimeUpdateExclusion", "ListPullTimeUpdateExclusions", "PutAccountSetting"}),
    ("RepositoryNotFoundException", "it is the failure of an item", {"BatchGetRepositoryScanningConfiguration"}),
    ("KmsException", "there is no KMS", declaring("KmsException")),
    ("SecretNotFoundException", "there is no Secrets Manager to ask", declaring("SecretNotFoundException")),
    ("UnableToDecryptSecretValueException", "there is no Secrets Manager to ask",
     declaring("UnableToDecryptSecretValueException")),
    ("UnableToGetUpstreamImageException", "nothing is fetched from upstreams", {"BatchGetImage"}),
    ("UnableToGetUpstreamLayerException", "nothing is fetched from upstreams", {"GetDownloadUrlForLayer"}),
    ("UnableToListUpstreamImageReferrersException", "nothing is fetched from upstreams", {"ListImageReferrers"}),
    ("BlockedByOrganizationPolicyException", "there are no organizations", {"PutRegistryScanningConfiguration"}),
]
NEVER_PAIRS = {(operation, error) for error, _, operations in NEVER for operation in operations}


def test_operations_without_parameters():
    assert NO_PARAMETERS == {
        name for name in declaring("InvalidParameterException")
        if not MODEL["shapes"].get(MODEL["operations"][name].get("input"), {}).get("members")}


def test_what_never_happens_is_declared():
    for error, reason, operations in NEVER:
        assert reason and operations and operations <= declaring(error), error


@pytest.mark.last
def test_every_operation_succeeded(whole_run):
    assert set(OPERATIONS) - SEEN_SUCCESS == set()


# A scan never has findings.
NEVER_PAGES = {"DescribeImageScanFindings"}


@pytest.mark.last
def test_every_list_had_pages(whole_run):
    def members(operation):
        return MODEL["shapes"].get(MODEL["operations"][operation].get("output"), {}).get("members", {})

    assert {name for name in OPERATIONS if "nextToken" in members(name)} == SEEN_PAGES | NEVER_PAGES


@pytest.mark.last
def test_every_declared_error_was_provoked(whole_run):
    declared = {(name, error) for name in OPERATIONS for error in MODEL["operations"][name]["errors"]}
    assert declared - SEEN_ERRORS - NEVER_PAIRS == set(), "no test has provoked these, and no reason is given"
    assert NEVER_PAIRS & SEEN_ERRORS == set(), "these were answered, and are said never to be"

"""--auth iam: who may do what, the same on both doors, each refusal with the exact sentence (ecr-behaviour 1.3, 6.1,
6.3, 7)."""

import json

import pytest
from support.aws import refused
from support.fixtures import serve
from support.iam import (ACCOUNT, ARN, KEYS, REPOSITORY, Signed, client, error_of, keys_of, login, not_allowed, options,
                         registry, session, user)
from support.images import digest_of, oci_artifact, oci_image
from support.refusals import refusal
from support.tls import TlsServer

INSTANCE, PIPELINE, STRANGER = session("app-instance", "instance"), user("pipeline"), user("stranger")
NOWHERE = "sha256:" + "0" * 64
UPLOAD = "00000000-0000-4000-8000-000000000000"
OTHER = "111122223333"


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    yield from serve(tmp_path_factory, *options())


@pytest.fixture
def admin(drydock):
    ecr = client(drydock, "admin")
    ecr.create_repository(repositoryName=REPOSITORY)
    return ecr


@pytest.fixture
def doors(drydock, admin):
    opened = {}

    def door(name):
        if name not in opened:
            opened[name] = registry(drydock, name)
        return opened[name]

    yield door
    for one in opened.values():
        one.close()


def denied(response, sentence):
    assert refusal(response) == (403, "DENIED", sentence)


# -- the roles of the sample --------------------------------------------------------------------------------------------

def test_the_pipeline_pushes(drydock, doors):
    image = oci_image()
    doors("pipeline").push_image(REPOSITORY, image, "v1")
    assert doors("pipeline").pull_image(REPOSITORY, "v1") == image.manifest
    assert client(drydock, "pipeline").describe_images(repositoryName=REPOSITORY)["imageDetails"][0]["imageTags"] == ["v1"]


def test_the_pipeline_pushes_nowhere_else(drydock, admin, doors):
    admin.create_repository(repositoryName="other")
    other = ARN.replace(REPOSITORY, "other")
    denied(doors("pipeline").start_upload("other"), not_allowed(PIPELINE, "InitiateLayerUpload", other))
    with refused("AccessDeniedException") as error:
        client(drydock, "pipeline").initiate_layer_upload(repositoryName="other")
    assert error.message == not_allowed(PIPELINE, "InitiateLayerUpload", other)


def test_the_instance_pulls_and_cannot_push(drydock, admin, doors):
    image = oci_image()
    doors("pipeline").push_image(REPOSITORY, image, "v1")
    instance = doors("app-instance")
    assert instance.pull_image(REPOSITORY, "v1") == image.manifest
    assert client(drydock, "app-instance").batch_get_image(
        repositoryName=REPOSITORY, imageIds=[{"imageTag": "v1"}])["images"][0]["imageManifest"] == image.manifest.decode()
    for answer, action in (
            (instance.start_upload(REPOSITORY), "InitiateLayerUpload"),
            (instance.put_manifest(REPOSITORY, "v2", image.manifest, image.media_type), "PutImage"),
            (instance.request("DELETE", f"{REPOSITORY}/manifests/{image.digest}"), "BatchDeleteImage"),
            (instance.tags(REPOSITORY), "ListImages"),
            (instance.request("PATCH", f"{REPOSITORY}/blobs/uploads/{UPLOAD}", data=b"x"), "UploadLayerPart"),
            (instance.request("PUT", f"{REPOSITORY}/blobs/uploads/{UPLOAD}?digest={NOWHERE}"), "CompleteLayerUpload"),
            (instance.request("GET", f"{REPOSITORY}/blobs/uploads/{UPLOAD}"), "UploadLayerPart"),
            (instance.request("DELETE", f"{REPOSITORY}/blobs/uploads/{UPLOAD}"), "UploadLayerPart")):
        denied(answer, not_allowed(INSTANCE, action))
    assert instance.head_blob(REPOSITORY, image.blobs[0].digest).status_code == 403
    denied(instance.request("GET", "_catalog"), not_allowed(
        INSTANCE, "DescribeRepositories", ARN.replace(REPOSITORY, "*")))
    with refused("AccessDeniedException") as error:
        client(drydock, "app-instance").put_image(repositoryName=REPOSITORY, imageManifest=image.manifest.decode())
    assert error.message == not_allowed(INSTANCE, "PutImage")
    with refused("AccessDeniedException") as error:
        client(drydock, "app-instance").describe_registry()
    assert error.message == not_allowed(INSTANCE, "DescribeRegistry", "*")
    assert admin.list_images(repositoryName=REPOSITORY)["imageIds"] == [
        {"imageDigest": image.digest, "imageTag": "v1"}]


def test_a_stranger_sees_nothing(drydock, admin):
    ecr = client(drydock, "stranger")
    everything = ARN.replace(REPOSITORY, "*")
    for call, action, resource in (
            (ecr.get_authorization_token, "GetAuthorizationToken", "*"),
            (ecr.describe_repositories, "DescribeRepositories", everything),
            (lambda: ecr.describe_repositories(repositoryNames=["absent"]), "DescribeRepositories",
             ARN.replace(REPOSITORY, "absent")),
            (lambda: ecr.list_images(repositoryName=REPOSITORY), "ListImages", ARN),
            (lambda: ecr.create_repository(repositoryName="mine"), "CreateRepository", ARN.replace(REPOSITORY, "mine")),
            (lambda: ecr.tag_resource(resourceArn=ARN, tags=[]), "TagResource", ARN),
            (lambda: ecr.list_image_referrers(repositoryName=REPOSITORY, subjectId={"imageDigest": NOWHERE}),
             "BatchGetImage", ARN),
            (ecr.get_registry_policy, "GetRegistryPolicy", "*")):
        with refused("AccessDeniedException") as error:
            call()
        assert error.message == not_allowed(STRANGER, action, resource)
    assert len(admin.describe_repositories()["repositories"]) == 1


def test_what_is_not_there_is_refused_all_the_same(doors):
    """Who may not look is not told whether there is something to see."""
    denied(doors("app-instance").get_manifest("absent", "v1"),
           not_allowed(INSTANCE, "BatchGetImage", ARN.replace(REPOSITORY, "absent")))


def test_no_body_is_taken_of_who_is_refused(drydock, doors):
    """The refusal comes before 100 Continue."""
    from support.transfer import Transfer
    answer = Transfer(drydock, login(drydock, "app-instance"), "PUT", f"/v2/{REPOSITORY}/manifests/v1", 10 << 20).refusal
    assert answer.status == 403 and b"ecr:PutImage" in answer.body


# -- every route, every operation ---------------------------------------------------------------------------------------

ROUTES = [
    ("GET", "{r}/tags/list", "ListImages"), ("GET", "{r}/manifests/v1", "BatchGetImage"),
    ("HEAD", "{r}/manifests/v1", "BatchGetImage"), ("PUT", "{r}/manifests/v1", "PutImage"),
    ("DELETE", "{r}/manifests/v1", "BatchDeleteImage"), ("GET", "{r}/blobs/" + NOWHERE, "GetDownloadUrlForLayer"),
    ("HEAD", "{r}/blobs/" + NOWHERE, "BatchCheckLayerAvailability"),
    ("DELETE", "{r}/blobs/" + NOWHERE, "BatchDeleteImage"),
    ("GET", "{r}/referrers/" + NOWHERE, "BatchGetImage"), ("POST", "{r}/blobs/uploads/", "InitiateLayerUpload"),
    ("GET", "{r}/blobs/uploads/" + UPLOAD, "UploadLayerPart"), ("PATCH", "{r}/blobs/uploads/" + UPLOAD, "UploadLayerPart"),
    ("PUT", "{r}/blobs/uploads/" + UPLOAD + "?digest=" + NOWHERE, "CompleteLayerUpload"),
    ("DELETE", "{r}/blobs/uploads/" + UPLOAD, "UploadLayerPart")]


@pytest.fixture
def by_policy(drydock, admin):
    """A registry client of the pipeline, whose own policy's Allow is taken back but for the actions given."""
    def limit(*actions):
        admin.set_repository_policy(repositoryName=REPOSITORY, force=True, policyText=json.dumps({"Statement": [
            {"Effect": "Deny", "Principal": {"AWS": PIPELINE}, "NotAction": [f"ecr:{a}" for a in actions] or "ecr:None*"},
            {"Effect": "Allow", "Principal": {"AWS": PIPELINE}, "Action": [f"ecr:{a}" for a in actions] or "ecr:None*"}]}))
        return registry(drydock, "pipeline")
    return limit


@pytest.mark.parametrize("method, path, action", ROUTES)
def test_each_route_needs_its_action(by_policy, method, path, action):
    path = path.format(r=REPOSITORY)
    nothing = by_policy()
    response = nothing.request(method, path)
    assert response.status_code == 403
    if method != "HEAD":
        denied(response, not_allowed(PIPELINE, action, because="of an explicit deny").replace(
            "because of an explicit deny", "with an explicit deny in a resource-based policy"))
    nothing.close()
    enough = by_policy(action)
    assert enough.request(method, path).status_code != 403
    enough.close()


def test_a_body_needs_upload_layer_part(by_policy):
    some = by_policy("InitiateLayerUpload", "CompleteLayerUpload")
    data = b"some layer"
    location = some.start_upload(REPOSITORY).headers["Location"]
    sentence = not_allowed(PIPELINE, "UploadLayerPart", because="x").replace(
        "because x", "with an explicit deny in a resource-based policy")
    denied(some.finish_upload(location, digest_of(data), data), sentence)
    denied(some.push_blob(REPOSITORY, data, form="post"), sentence)
    some.close()


def test_every_operation_is_asked_for(drydock, admin):
    """The stranger is refused each of the API's operations, by its name; but for one, whose action is another's."""
    ecr = client(drydock, "stranger")
    ecr.meta.config.parameter_validation = False
    model = ecr.meta.service_model
    fillers = {"resourceArn": ARN, "repositoryName": REPOSITORY}
    asked = 0
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        arguments = {name: fill(member, fillers.get(name)) for name, member in (shape.members if shape else {}).items()
                     if name in shape.required_members}
        method = next(py for py, api in ecr.meta.method_to_api_mapping.items() if api == operation)
        try:
            getattr(ecr, method)(**arguments)
        except ecr.exceptions.ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            if code == "UnknownOperationException":
                continue
            action = "BatchGetImage" if operation == "ListImageReferrers" else operation
            assert (code, f" ecr:{action} " in message) == ("AccessDeniedException", True), (operation, code, message)
            asked += 1
        else:
            pytest.fail(f"{operation} was allowed")
    assert asked >= 56


def fill(shape, given=None):
    """The least that the model takes."""
    if given:
        return given
    if shape.type_name == "structure":
        return {name: fill(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [fill(shape.member)] if shape.metadata.get("min", 0) or shape.name != "TagList" else []
    if shape.type_name in ("long", "integer"):
        return 1
    if shape.type_name == "blob":
        return b"x"
    if shape.enum:
        return shape.enum[0]
    return EXAMPLES.get(shape.name, "x" * max(shape.metadata.get("min", 1), 1))


EXAMPLES = {
    "LifecyclePolicyText": "x" * 100, "BatchedOperationLayerDigest": NOWHERE, "LayerDigest": NOWHERE,
    "UploadId": UPLOAD, "PullThroughCacheRuleRepositoryPrefix": "team", "Prefix": "team",
    "PrincipalArn": user("pipeline"), "RepositoryName": REPOSITORY, "ImageDigest": NOWHERE,
    "SigningProfileArn": f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/x_x", "RegistryId": ACCOUNT,
    "Region": "eu-west-1"}


# -- policies of both sides -----------------------------------------------------------------------------------------------

def test_a_repository_policy_allows(drydock, admin):
    ecr = client(drydock, "stranger")
    admin.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps({"Statement": {
        "Effect": "Allow", "Principal": {"AWS": STRANGER}, "Action": "ecr:ListImages"}}))
    assert ecr.list_images(repositoryName=REPOSITORY)["imageIds"] == []
    with refused("AccessDeniedException"):
        ecr.describe_images(repositoryName=REPOSITORY)
    admin.delete_repository_policy(repositoryName=REPOSITORY)
    with refused("AccessDeniedException"):
        ecr.list_images(repositoryName=REPOSITORY)


def test_a_member_that_an_operation_does_not_take_is_not_asked_about(drydock, admin):
    """Who may do everything in one repository may not set the registry's policy by naming that repository."""
    admin.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps({"Statement": {
        "Effect": "Allow", "Principal": {"AWS": STRANGER}, "Action": "ecr:*"}}))
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{
        "Sid": "all", "Effect": "Allow", "Principal": {"AWS": STRANGER}, "Action": "ecr:*", "Resource": "*"}]})
    body = json.dumps({"policyText": policy, "repositoryName": REPOSITORY}).encode()
    answer = Signed(drydock, "stranger", operation="PutRegistryPolicy", body=body).send()
    assert error_of(answer)[:2] == (400, "AccessDeniedException")


def test_policies_of_many_repositories(drydock, admin):
    """More than are kept parsed, each asked again and again, and changed in between."""
    ecr = client(drydock, "stranger")
    names = [f"many/{number}" for number in range(80)]
    for name in names:
        admin.create_repository(repositoryName=name)

    def put(name, effect):
        admin.set_repository_policy(repositoryName=name, policyText=json.dumps({"Statement": {
            "Sid": name.replace("/", ""), "Effect": effect, "Principal": {"AWS": STRANGER}, "Action": "ecr:ListImages"}}))

    def allowed(name):
        try:
            ecr.list_images(repositoryName=name)
        except ecr.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException"
            return False
        return True

    for turn in range(2):
        for number, name in enumerate(names):
            put(name, "Allow" if (number + turn) % 2 else "Deny")
        for _ in range(2):
            assert [allowed(name) for name in names] == [bool((number + turn) % 2) for number in range(len(names))]


def test_an_explicit_deny_wins(drydock, admin, doors):
    doors("pipeline")
    admin.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps({"Statement": {
        "Effect": "Deny", "Principal": {"AWS": PIPELINE}, "Action": "ecr:InitiateLayerUpload"}}))
    sentence = (f"User: {PIPELINE} is not authorized to perform: ecr:InitiateLayerUpload on resource: {ARN} "
                "with an explicit deny in a resource-based policy")
    denied(doors("pipeline").start_upload(REPOSITORY), sentence)
    with refused("AccessDeniedException") as error:
        client(drydock, "pipeline").initiate_layer_upload(repositoryName=REPOSITORY)
    assert error.message == sentence


def test_a_registry_policy_counts_for_all_that_is_in_it(drydock, admin):
    admin.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Deny", "Principal": {"AWS": PIPELINE}, "Action": "ecr:ListImages", "Resource": "*"}}))
    with refused("AccessDeniedException") as error:
        client(drydock, "pipeline").list_images(repositoryName=REPOSITORY)
    assert error.message.endswith("with an explicit deny in a resource-based policy")
    admin.delete_registry_policy()
    client(drydock, "pipeline").list_images(repositoryName=REPOSITORY)


@pytest.mark.parametrize("condition, allowed", [
    ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True), ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
    ({"Bool": {"aws:SecureTransport": "false"}}, True), ({"Bool": {"aws:SecureTransport": "true"}}, False),
    ({"StringEquals": {"aws:ResourceTag/team": "budget"}}, True),
    ({"StringEquals": {"ecr:ResourceTag/team": "budget"}}, True),
    ({"StringEquals": {"aws:ResourceTag/team": "other"}}, False),
    ({"StringEquals": {"aws:username": "stranger"}}, True), ({"StringEquals": {"aws:username": "admin"}}, False),
    ({"ArnEquals": {"aws:PrincipalArn": user("stranger")}}, True),
    ({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}, True),
    ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, False),
    ({"DateGreaterThan": {"aws:CurrentTime": "2040-01-01T00:00:00Z"}}, False),
    ({"StringLike": {"aws:UserAgent": "*Boto3*"}}, True)])
def test_conditions(drydock, admin, condition, allowed):
    admin.tag_resource(resourceArn=ARN, tags=[{"Key": "team", "Value": "budget"}])
    admin.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps({"Statement": {
        "Effect": "Allow", "Principal": "*", "Action": "ecr:ListImages", "Condition": condition}}))
    ecr = client(drydock, "stranger")
    if allowed:
        ecr.list_images(repositoryName=REPOSITORY)
    else:
        with refused("AccessDeniedException"):
            ecr.list_images(repositoryName=REPOSITORY)


def test_over_tls_transport_is_secure(tmp_path):
    """A Deny of what does not come over TLS, as security teams write it."""
    server = TlsServer(*options(), folder=tmp_path).start()
    try:
        ecr = client(server, "admin")
        ecr.create_repository(repositoryName=REPOSITORY)
        ecr.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": {
            "Effect": "Deny", "Principal": "*", "Action": "ecr:*", "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}}}))
        assert client(server, "pipeline").list_images(repositoryName=REPOSITORY)["imageIds"] == []
        docker = registry(server, "pipeline")
        assert docker.start_upload(REPOSITORY).status_code == 202
        docker.close()
    finally:
        server.stop()


def test_current_time_is_drydocks(drydock, admin):
    admin.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps({"Statement": {
        "Effect": "Allow", "Principal": "*", "Action": "ecr:ListImages",
        "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2040-01-01T00:00:00Z"}}}}))
    drydock.set_clock("2040-06-01T00:00:00Z")
    client(drydock, "stranger").list_images(repositoryName=REPOSITORY)


def test_request_tags(drydock, admin):
    admin.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": STRANGER}, "Action": ["ecr:CreateRepository", "ecr:UntagResource"],
        "Resource": "*", "Condition": {
            "StringEquals": {"aws:RequestTag/team": "budget"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}}}))
    ecr = client(drydock, "stranger")
    team, extra = {"Key": "team", "Value": "budget"}, {"Key": "extra", "Value": ""}
    for tags in ([], [{"Key": "team", "Value": "x"}], [team, extra]):
        with refused("AccessDeniedException"):
            ecr.create_repository(repositoryName="mine", tags=tags)
    ecr.create_repository(repositoryName="mine", tags=[team])
    with refused("AccessDeniedException"):
        ecr.untag_resource(resourceArn=ARN.replace(REPOSITORY, "mine"), tagKeys=["team"])


# -- set the lock from the inside ---------------------------------------------------------------------------------------

def test_a_policy_that_locks_its_caller_out(drydock, admin):
    policy = json.dumps({"Statement": {"Effect": "Deny", "Principal": {"AWS": user("admin")}, "Action": "ecr:*"}})
    with refused("InvalidParameterException"):
        admin.set_repository_policy(repositoryName=REPOSITORY, policyText=policy)
    admin.set_repository_policy(repositoryName=REPOSITORY, policyText=policy, force=True)
    with refused("AccessDeniedException"):
        admin.get_repository_policy(repositoryName=REPOSITORY)


def test_a_policy_that_takes_ones_own_permission_away(drydock, admin):
    stranger = client(drydock, "stranger")

    def policy(*actions):
        return json.dumps({"Statement": {
            "Effect": "Allow", "Principal": {"AWS": user("stranger")}, "Action": list(actions),
            "Condition": {"StringEquals": {"aws:ResourceTag/owner": "stranger"}}}})

    admin.tag_resource(resourceArn=ARN, tags=[{"Key": "owner", "Value": "stranger"}])
    admin.set_repository_policy(repositoryName=REPOSITORY, policyText=policy("ecr:SetRepositoryPolicy"))
    with refused("InvalidParameterException") as error:
        stranger.set_repository_policy(repositoryName=REPOSITORY, policyText=policy("ecr:GetRepositoryPolicy"))
    assert "Invalid repository policy provided" in error.message
    stranger.set_repository_policy(repositoryName=REPOSITORY, policyText=policy("ecr:*RepositoryPolicy"))
    stranger.set_repository_policy(
        repositoryName=REPOSITORY, policyText=policy("ecr:GetRepositoryPolicy"), force=True)
    assert "ecr:GetRepositoryPolicy" in stranger.get_repository_policy(repositoryName=REPOSITORY)["policyText"]
    with refused("AccessDeniedException"):
        stranger.set_repository_policy(repositoryName=REPOSITORY, policyText=policy("ecr:*"))


# -- mounts, creation on push, pull times, referrers ----------------------------------------------------------------------

def test_a_mount_needs_the_source(drydock, admin, doors):
    image = oci_image()
    admin.create_repository(repositoryName="base")
    admin.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    doors("admin").push_image("base", image, "v1")
    blob = image.blobs[0].digest

    def mount():
        return doors("pipeline").start_upload(REPOSITORY, mount=blob, **{"from": "base"})

    answer = mount()
    assert answer.status_code == 202 and answer.headers["Docker-Upload-UUID"]
    admin.set_repository_policy(repositoryName="base", policyText=json.dumps({"Statement": {
        "Effect": "Allow", "Principal": {"AWS": PIPELINE}, "Action": "ecr:GetDownloadUrlForLayer"}}))
    assert mount().status_code == 201


def test_creation_on_push(drydock, admin, doors):
    """Needs ecr:CreateRepository besides."""
    admin.create_repository_creation_template(prefix="ROOT", appliedFor=["CREATE_ON_PUSH"])
    new = ARN.replace(REPOSITORY, "fresh")
    admin.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": PIPELINE}, "Action": ["ecr:InitiateLayerUpload", "ecr:PutImage"],
        "Resource": new}}))
    sentence = not_allowed(PIPELINE, "CreateRepository", new)
    denied(doors("pipeline").start_upload("fresh"), sentence)
    denied(doors("pipeline").start_upload("fresh", mount=NOWHERE, **{"from": REPOSITORY}), sentence)
    assert [r["repositoryName"] for r in admin.describe_repositories()["repositories"]] == [REPOSITORY]
    admin.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": PIPELINE}, "Action": ["ecr:InitiateLayerUpload", "ecr:CreateRepository"],
        "Resource": new}}))
    assert doors("pipeline").start_upload("fresh").status_code == 202


def test_excluded_principals_leave_the_pull_time(drydock, admin, doors):
    image = oci_image()
    doors("pipeline").push_image(REPOSITORY, image, "v1")
    admin.register_pull_time_update_exclusion(principalArn=f"arn:aws:iam::{ACCOUNT}:role/app-instance")

    def pulled():
        return admin.describe_images(repositoryName=REPOSITORY)["imageDetails"][0].get("lastRecordedPullTime")

    doors("app-instance").pull_image(REPOSITORY, "v1")
    client(drydock, "app-instance").batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": "v1"}])
    drydock.advance(1)
    assert pulled() is None
    doors("pipeline").pull_image(REPOSITORY, "v1")
    import time
    deadline = time.monotonic() + 10
    while pulled() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert pulled() is not None


def test_referrers(doors):
    image = oci_image()
    doors("pipeline").push_image(REPOSITORY, image, "v1")
    doors("pipeline").push_image(REPOSITORY, oci_artifact("application/x", subject=image))
    found = doors("app-instance").request("GET", f"{REPOSITORY}/referrers/{image.digest}")
    assert len(found.json()["manifests"]) == 1


# -- accounts -----------------------------------------------------------------------------------------------------------

TWO_ACCOUNTS = {"accounts": {
    ACCOUNT: {"accessKeys": {"AKIAROOT000000000001": "root/secret/of/the/first"}},
    OTHER: {"users": {
        "ann": {"accessKeys": {"AKIAANN0000000000001": "ann/secret/of/the/other"}, "policies": {"all": {
            "Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}}}},
        "bob": {"accessKeys": {"AKIABOB0000000000001": "bob/secret/of/the/other"}, "policies": {"login": {
            "Statement": {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}}}}}}}}


def test_across_accounts(make_server, tmp_path):
    """Both sides must allow; the host name or registryId says whose registry is meant."""
    path = tmp_path / "iam.json"
    path.write_text(json.dumps(TWO_ACCOUNTS))
    keys = keys_of(TWO_ACCOUNTS) | keys_of(TWO_ACCOUNTS, OTHER)
    server = make_server(*options(path))
    root, ann, bob = (client(server, name, keys=keys) for name in ("root", "ann", "bob"))
    root.create_repository(repositoryName=REPOSITORY)
    assert ann.describe_repositories()["repositories"] == []
    arns = {"ann": user("ann", OTHER), "bob": user("bob", OTHER)}
    with refused("AccessDeniedException") as error:
        ann.list_images(registryId=ACCOUNT, repositoryName=REPOSITORY)
    assert error.message == not_allowed(
        arns["ann"], "ListImages", because="no resource-based policy allows the ecr:ListImages action")
    root.set_repository_policy(repositoryName=REPOSITORY, policyText=json.dumps({"Statement": {
        "Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": ["ecr:ListImages", "ecr:BatchGetImage"]}}))
    assert ann.list_images(registryId=ACCOUNT, repositoryName=REPOSITORY)["imageIds"] == []
    with refused("AccessDeniedException") as error:
        bob.list_images(registryId=ACCOUNT, repositoryName=REPOSITORY)
    assert error.message == not_allowed(arns["bob"], "ListImages")

    host = {"Host": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"}
    ann_docker = registry(server, "ann", keys)
    assert ann_docker.request("GET", f"{REPOSITORY}/tags/list", headers=host).status_code == 200
    denied(ann_docker.request("GET", f"{REPOSITORY}/blobs/{NOWHERE}", headers=host), not_allowed(
        arns["ann"], "GetDownloadUrlForLayer",
        because="no resource-based policy allows the ecr:GetDownloadUrlForLayer action"))
    assert ann_docker.request("GET", f"{REPOSITORY}/tags/list").status_code == 404, "of its own registry there is none"
    ann_docker.close()
    bob_docker = registry(server, "bob", keys)
    denied(bob_docker.request("GET", f"{REPOSITORY}/tags/list", headers=host), not_allowed(arns["bob"], "ListImages"))
    bob_docker.close()


# -- tokens -------------------------------------------------------------------------------------------------------------

def unauthorized(response):
    return (response.status_code, response.text) == (401, "Not Authorized\n")


def test_tokens_of_who_is_not_there_any_more(make_server, tmp_path):
    """At each use the policies of today apply."""
    document = json.loads(json.dumps(TWO_ACCOUNTS))
    path = tmp_path / "iam.json"
    path.write_text(json.dumps(document))
    keys = keys_of(document) | keys_of(document, OTHER)
    server = make_server(*options(path), data=tmp_path / "data")
    client(server, "ann", keys=keys).create_repository(repositoryName="app")
    token = login(server, "ann", keys)
    document["accounts"][OTHER]["users"]["ann"]["policies"] = {}
    path.write_text(json.dumps(document))
    server.restart()
    docker = server.registry(token)
    denied(docker.tags("app"), not_allowed(
        user("ann", OTHER), "ListImages", f"arn:aws:ecr:us-east-1:{OTHER}:repository/app"))
    assert docker.request("GET", "").status_code == 200
    docker.close()
    del document["accounts"][OTHER]["users"]["ann"]
    path.write_text(json.dumps(document))
    server.restart()
    docker = server.registry(token)
    assert unauthorized(docker.tags("app")) and unauthorized(docker.request("GET", ""))
    docker.close()


def test_bad_tokens(drydock, doors):
    docker = doors("pipeline")
    user_name, password = login(drydock, "pipeline")
    host = {"Host": f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"}
    assert unauthorized(docker.request("GET", f"{REPOSITORY}/tags/list", headers=host)), "of another region"
    other = "A" if password[60] != "A" else "B"
    for altered in (password[:60] + other + password[61:], password[:-8], password + "AAAA", ""):
        assert unauthorized(docker.request("GET", "", auth=(user_name, altered)))
    assert unauthorized(docker.request("GET", "", auth=("me", password)))
    drydock.advance(12 * 3600 + 1)
    assert refusal(docker.request("GET", ""))[:2] == (403, "DENIED")


def test_a_token_of_another_mode(make_server, tmp_path):
    """One that was given out before identities were asked for names a root that nobody configured."""
    server = make_server(data=tmp_path / "data")
    token = server.token()
    server.stop()
    iam = make_server(*options(), data=tmp_path / "data")
    docker = iam.registry(token)
    assert unauthorized(docker.request("GET", ""))
    docker.close()


# -- links to layers ----------------------------------------------------------------------------------------------------

def test_links(drydock, admin, doors):
    """A link needs no login, is good for one layer and for an hour, and cannot be changed into another's."""
    image = oci_image()
    doors("pipeline").push_image(REPOSITORY, image, "v1")
    ecr, anonymous = client(drydock, "app-instance"), drydock.registry(login=None)
    links = [ecr.get_download_url_for_layer(repositoryName=REPOSITORY, layerDigest=blob.digest)["downloadUrl"]
             for blob in image.blobs]
    for link, blob in zip(links, image.blobs):
        assert anonymous.request("GET", link).content == blob.data
    head, one = links[0].rsplit("/", 1)
    two = links[1].rsplit("/", 1)[1]
    for forged in (one[:-2], one + "AA", one[:30] + two[30:], two[:22] + one[22:], "A" + one[1:], ""):
        if forged not in (one, two):
            assert anonymous.request("GET", f"{head}/{forged}").status_code == 403, forged
    for at in range(0, len(one), 7):
        altered = one[:at] + ("A" if one[at] != "A" else "B") + one[at + 1:]
        assert anonymous.request("GET", f"{head}/{altered}").status_code == 403
    drydock.advance(3601)
    assert anonymous.request("GET", links[0]).status_code == 403
    anonymous.close()

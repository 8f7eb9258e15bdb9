"""StartLifecyclePolicyPreview and GetLifecyclePolicyPreview (ecr-behaviour 2.6)."""

import pytest
from support.api import call, pages
from support.aws import refused
from support.images import oci_image
from support.lifecycle import (
    DAY, check_run, foreseen, policy, preview, put_policy, rule, statuses, variants, wait_for_preview)
from support.refusals import ACCOUNT, not_found

TAIL = f"for the repository with name 'team/app' in the registry with id '{ACCOUNT}'"
KEEP_ONE = policy(rule(1, 1))


def start(ecr, text=KEEP_ONE, repository="team/app"):
    return ecr.start_lifecycle_policy_preview(repositoryName=repository, lifecyclePolicyText=text)


def get(ecr, **arguments):
    return ecr.get_lifecycle_policy_preview(repositoryName="team/app", **arguments)


@pytest.fixture
def images(drydock, registry, repository):
    """Seven, oldest first; those of odd number have tags."""
    made = variants(registry, repository, 7)
    for number, image in enumerate(made):
        for reference in [f"t{number}", f"u{number}"] if number % 2 else [image.digest]:
            registry.put_manifest(repository, reference, image.manifest, image.media_type)
        drydock.advance(60)
    return made


def test_what_is_answered(ecr, repository, images):
    answer = start(ecr)
    del answer["ResponseMetadata"]
    assert answer == {"registryId": ACCOUNT, "repositoryName": repository, "lifecyclePolicyText": KEEP_ONE,
                      "status": "IN_PROGRESS"}
    before = statuses(ecr, repository)
    answer = wait_for_preview(ecr, repository)
    assert answer["lifecyclePolicyText"] == KEEP_ONE and answer["registryId"] == ACCOUNT
    assert answer["summary"] == {"expiringImageTotalCount": 6, "transitioningImageTotalCounts": []}
    assert [result["imageDigest"] for result in answer["previewResults"]] == [image.digest for image in images[:6]]
    described = {d["imageDigest"]: d for d in ecr.describe_images(repositoryName=repository)["imageDetails"]}
    for result in answer["previewResults"]:
        detail = described[result["imageDigest"]]
        assert result.get("imageTags") == detail.get("imageTags")
        assert result["imagePushedAt"] == detail["imagePushedAt"]
        assert result["action"] == {"type": "EXPIRE"} and result["appliedRulePriority"] == 1
        assert result["storageClass"] == "STANDARD"
    assert statuses(ecr, repository) == before


def test_transitions_and_classes(drydock, ecr, repository, images):
    ecr.update_image_storage_class(
        repositoryName=repository, imageId={"imageDigest": images[0].digest}, targetStorageClass="ARCHIVE")
    drydock.advance(100 * DAY)
    text = policy(
        rule(1, 30, "sinceImagePushed", action="transition"),
        rule(2, 90, "sinceImageTransitioned", storageClass="archive"))
    answer_of = {result["imageDigest"]: result for result in preview(ecr, repository, text)}
    assert len(answer_of) == 7
    archived = answer_of.pop(images[0].digest)
    assert (archived["action"], archived["storageClass"]) == ({"type": "EXPIRE"}, "ARCHIVE")
    for result in answer_of.values():
        assert result["action"] == {"type": "TRANSITION", "targetStorageClass": "ARCHIVE"}
        assert (result["storageClass"], result["appliedRulePriority"]) == ("STANDARD", 1)
    assert get(ecr)["summary"] == {
        "expiringImageTotalCount": 1,
        "transitioningImageTotalCounts": [{"targetStorageClass": "ARCHIVE", "imageTotalCount": 6}]}


def test_filters_and_pages(ecr, repository, images):
    preview(ecr, repository, KEEP_ONE)
    wanted = {"ANY": images[:6], "TAGGED": images[1:6:2], "UNTAGGED": images[0:6:2]}
    for tags, expected in wanted.items():
        for size in (1, 2, 100):
            found = list(pages(
                ecr.get_lifecycle_policy_preview, "previewResults", repositoryName=repository, maxResults=size,
                filter={"tagStatus": tags}))
            assert [result["imageDigest"] for page in found for result in page] == [i.digest for i in expected]
            assert all(0 < len(page) <= size for page in found)


def test_results_of_given_images(ecr, repository, images):
    preview(ecr, repository, KEEP_ONE)
    ids = [{"imageDigest": images[2].digest}, {"imageTag": "t1"}, {"imageTag": "u1"},
           {"imageDigest": images[3].digest, "imageTag": "t3"}]
    found = [result["imageDigest"] for result in get(ecr, imageIds=ids)["previewResults"]]
    assert found == [images[2].digest, images[1].digest, images[3].digest]
    none = [{"imageDigest": images[6].digest}, {"imageTag": "nothing"}, {"imageDigest": "sha256:" + "0" * 64},
            {"imageDigest": images[3].digest, "imageTag": "t1"}]
    assert get(ecr, imageIds=none)["previewResults"] == []
    found = get(ecr, imageIds=ids, filter={"tagStatus": "UNTAGGED"})["previewResults"]
    assert [result["imageDigest"] for result in found] == [images[2].digest]
    with refused("InvalidParameterException"):
        get(ecr, imageIds=ids, maxResults=5)


def test_a_token_is_good_for_one_preview_and_filter(ecr, repository, images):
    preview(ecr, repository, KEEP_ONE)
    token = get(ecr, maxResults=2)["nextToken"]
    with refused("InvalidParameterException") as error:
        get(ecr, nextToken=token, filter={"tagStatus": "TAGGED"})
    assert "'NextToken'" in error.message
    preview(ecr, repository, KEEP_ONE)
    with refused("InvalidParameterException"):
        get(ecr, nextToken=token)


def test_the_repositorys_own_policy(drydock, ecr, repository, images):
    with refused("LifecyclePolicyNotFoundException"):
        ecr.start_lifecycle_policy_preview(repositoryName=repository)
    put_policy(ecr, repository, rule(7, 3))
    results = preview(ecr, repository)
    assert foreseen(results) == {image.digest: ("EXPIRE", 7) for image in images[:4]}
    check_run(drydock, ecr, repository, results)


def test_one_at_a_time(drydock, ecr, registry, repository):
    made = variants(registry, repository, 300)
    for image in made:
        registry.put_manifest(repository, image.digest, image.manifest, image.media_type)
    answers = []
    while not answers:  # it takes some milliseconds: the second call may come too late once
        start(ecr)
        second = call(drydock, "StartLifecyclePolicyPreview",
                      {"repositoryName": repository, "lifecyclePolicyText": KEEP_ONE})
        if second.status == 400:
            answers.append((second.code, second.message))
        wait_for_preview(ecr, repository)
    assert answers == [("LifecyclePolicyPreviewInProgressException",
                        f"Lifecycle policy preview is already in progress {TAIL}")]
    assert wait_for_preview(ecr, repository)["summary"]["expiringImageTotalCount"] == 299
    start(ecr)
    wait_for_preview(ecr, repository)


def test_what_is_not_there(ecr, repository):
    with refused("LifecyclePolicyPreviewNotFoundException") as error:
        get(ecr)
    assert error.message == f"Lifecycle policy preview does not exist {TAIL}"
    for operation in (ecr.start_lifecycle_policy_preview, ecr.get_lifecycle_policy_preview):
        with refused("RepositoryNotFoundException") as error:
            operation(repositoryName="nobody/here")
        assert error.message == not_found("nobody/here")


@pytest.mark.parametrize("members", [{"maxResults": 0}, {"maxResults": 101}, {"imageIds": []},
                                     {"filter": {"tagStatus": "NONE"}}, {"nextToken": "nonsense"}])
def test_parameters_are_checked(drydock, ecr, repository, images, members):
    preview(ecr, repository, KEEP_ONE)
    answer = call(drydock, "GetLifecyclePolicyPreview", {"repositoryName": repository} | members)
    assert answer.code == "InvalidParameterException"


def test_an_empty_repository(ecr, repository):
    assert preview(ecr, repository, KEEP_ONE) == []
    assert get(ecr)["summary"] == {"expiringImageTotalCount": 0, "transitioningImageTotalCounts": []}


def test_it_ages_out(drydock, ecr, repository, images):
    preview(ecr, repository, KEEP_ONE)
    token = get(ecr, maxResults=2)["nextToken"]
    drydock.advance(DAY - 120)
    assert get(ecr)["status"] == "COMPLETE"
    drydock.advance(121)
    answer = get(ecr)
    assert (answer["status"], answer["previewResults"]) == ("EXPIRED", []) and "summary" not in answer
    assert answer["lifecyclePolicyText"] == KEEP_ONE
    assert get(ecr, nextToken=token)["previewResults"] == []
    assert len(preview(ecr, repository, KEEP_ONE)) == 6


def test_it_goes_with_its_repository(ecr, repository, images):
    preview(ecr, repository, KEEP_ONE)
    ecr.delete_repository(repositoryName=repository, force=True)
    ecr.create_repository(repositoryName=repository)
    with refused("LifecyclePolicyPreviewNotFoundException"):
        get(ecr)


def test_results_survive_the_process(make_server, tmp_path):
    server = make_server(data=tmp_path / "data")
    ecr, registry = server.ecr(), server.registry()
    ecr.create_repository(repositoryName="team/app")
    for image in [oci_image(), oci_image()]:
        registry.push_image("team/app", image)
    results = preview(ecr, "team/app", KEEP_ONE)
    assert len(results) == 1
    server.restart(kill=True)
    ecr = server.ecr()
    assert get(ecr)["previewResults"] == results
    registry.close()


def test_a_preview_that_was_cut_off_has_failed(make_server, tmp_path):
    server = make_server(data=tmp_path / "data")
    server.ecr().create_repository(repositoryName="team/app")
    registry = server.registry()
    for image in variants(registry, "team/app", 400):
        registry.put_manifest("team/app", image.digest, image.manifest, image.media_type)
    registry.close()
    seen = set()
    for _ in range(4):
        start(server.ecr())
        server.restart(kill=True)
        answer = get(server.ecr())
        seen.add(answer["status"])
        if answer["status"] == "FAILED":
            assert answer["previewResults"] == [] and "summary" not in answer
        else:
            assert (answer["status"], answer["summary"]["expiringImageTotalCount"]) == ("COMPLETE", 399)
    assert "FAILED" in seen
    assert len(preview(server.ecr(), "team/app", KEEP_ONE)) == 399

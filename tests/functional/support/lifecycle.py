"""Lifecycle policies: previews and runs of them, and what they say."""

import json
import time

from .images import Image, oci_image

DAY = 86400


def rule(priority, count=1, kind="imageCountMoreThan", tags="any", action="expire", **selection):
    """A rule; `prefixes` or `patterns` make it one for tagged images."""
    for name, member in (("prefixes", "tagPrefixList"), ("patterns", "tagPatternList")):
        if name in selection:
            tags, selection = "tagged", selection | {member: selection[name]}
            del selection[name]
    if kind != "imageCountMoreThan":
        selection["countUnit"] = "days"
    does = {"type": action} if action == "expire" else {"type": action, "targetStorageClass": "archive"}
    return {"rulePriority": priority, "action": does,
            "selection": {"tagStatus": tags, "countType": kind, "countNumber": count} | selection}


def policy(*rules):
    """The text of a policy, as long as ECR wants one at least."""
    return json.dumps({"rules": list(rules)}).ljust(100)


def put_policy(ecr, repository, *rules):
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=policy(*rules))


def wait_for_preview(ecr, repository, status="COMPLETE", seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        answer = ecr.get_lifecycle_policy_preview(repositoryName=repository)
        if answer["status"] != "IN_PROGRESS":
            assert answer["status"] == status
            return answer
        assert answer["previewResults"] == [] and "summary" not in answer
        assert time.monotonic() < deadline, "the preview is not complete yet"
        time.sleep(0.01)


def preview(ecr, repository, text=None, **arguments):
    """Starts one, waits for it, and returns all its results."""
    given = {"lifecyclePolicyText": text} if text else {}
    assert ecr.start_lifecycle_policy_preview(repositoryName=repository, **given)["status"] == "IN_PROGRESS"
    wait_for_preview(ecr, repository)
    pages = ecr.get_paginator("get_lifecycle_policy_preview").paginate(repositoryName=repository, **arguments)
    return [result for page in pages for result in page["previewResults"]]


def run(server, repository=None):
    """Runs the policy of a repository, or all; the reports {repository: report}."""
    answer = server.admin("POST", "lifecycle/run", {"repositoryName": repository} if repository else None)
    assert answer["allImagesListed"]
    reports = {report["repositoryName"]: report for report in answer["repositories"]}
    assert len(reports) == len(answer["repositories"])
    for report in reports.values():
        assert report["complete"]
    return reports


def done(report):
    """What a run did: {digest: (action, rule priority)} of those that it carried out."""
    return {image["imageDigest"]: (image["action"], image.get("appliedRulePriority"))
            for image in report["images"] if "failure" not in image}


def failed(report):
    """{digest: failure} of those that it left."""
    return {image["imageDigest"]: image["failure"] for image in report["images"] if "failure" in image}


def foreseen(results):
    """The same of a preview's results."""
    return {result["imageDigest"]: (result["action"]["type"], result["appliedRulePriority"]) for result in results}


def statuses(ecr, repository):
    """{digest: imageStatus} of all its images."""
    pages = ecr.get_paginator("describe_images").paginate(repositoryName=repository, filter={"imageStatus": "ANY"})
    return {detail["imageDigest"]: detail["imageStatus"] for page in pages for detail in page["imageDetails"]}


def check_run(server, ecr, repository, results):
    """Runs the repository's policy, which must do what the preview's results say, and nothing else. The report."""
    before = statuses(ecr, repository)
    report = run(server, repository)[repository]
    expected = foreseen(results)
    assert done(report) == expected
    assert list(done(report)) == [result["imageDigest"] for result in results]
    after = dict(before)
    for digest, (action, _) in expected.items():
        if action == "EXPIRE":
            del after[digest]
        else:
            after[digest] = "ARCHIVED"
    assert statuses(ecr, repository) == after
    return report


def variants(registry, repository, count, **members):
    """Images that share their blobs, which are pushed; their manifests are not."""
    base = oci_image(size=64, **members)
    for blob in base.blobs:
        registry.push_blob(repository, blob.data)
    return [Image(base.document | {"annotations": {"number": str(number)}}, base.media_type, base.blobs)
            for number in range(count)]

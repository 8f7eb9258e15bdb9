"""How the registry refuses: the envelope, held to the letter, and the texts that more than one test needs."""

ACCOUNT = "000000000000"
NAME_PATTERN = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
TAG_PATTERN = "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"


def refusal(response):
    """(status, code, message) of a registry answer; fails unless it is the error envelope and nothing else."""
    assert response.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    document = response.json()
    assert set(document) == {"errors"} and len(document["errors"]) == 1, document
    error = document["errors"][0]
    assert set(error) <= {"code", "message"}, error
    return response.status_code, error["code"], error.get("message")


def not_found(repository, account=ACCOUNT):
    """ecr-behaviour 2, S1."""
    return f"The repository with name '{repository}' does not exist in the registry with id '{account}'"


def invalid(member, constraint):
    return f"Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'"


def blob_unknown(digest, repository):
    return 404, "BLOB_UNKNOWN", (
        f"The layer with digest '{digest}' does not exist within the repository with name '{repository}' in the "
        f"registry with id '{ACCOUNT}'")


def upload_unknown(upload, repository):
    return 404, "BLOB_UPLOAD_UNKNOWN", (
        f"The upload with id '{upload}' does not exist in the repository with name '{repository}' in the registry with "
        f"id '{ACCOUNT}'")


def name_invalid():
    return 405, "UNSUPPORTED", invalid("repositoryName", f"must satisfy regular expression '{NAME_PATTERN}'")

"""boto3 clients that talk to a Drydock, and what the tests read from them."""

import base64

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
REGION = "us-east-1"

_session = boto3.Session()


def client(service, url, *, access_key=ACCESS_KEY, secret_key=SECRET_KEY, region=REGION, validate=True, verify=None,
           **config):
    """A client that shows every answer as it is: one attempt, no environment. validate=False sends what a test asks
    for even where the SDK's own model would refuse it; an access key of twelve digits is an account."""
    return _session.client(
        service, endpoint_url=url, region_name=region, aws_access_key_id=access_key,
        aws_secret_access_key=secret_key, verify=verify,
        config=Config(
            retries={"total_max_attempts": 1}, parameter_validation=validate, connect_timeout=10, read_timeout=60,
            proxies={}, **config))


def registry_login(ecr):
    """The (user, password) pair that `docker login` gets."""
    data = ecr.get_authorization_token()["authorizationData"][0]
    user, password = base64.b64decode(data["authorizationToken"]).decode().split(":")
    return user, password


class Refusal:
    """What a refused call answered: filled in by `refused()` when its block has ended."""

    code = message = status = response = None

    def __repr__(self):
        return f"{self.status} {self.code}: {self.message}"


class refused:
    """`with refused("RepositoryNotFoundException") as error: ecr.some_call()`, then look at error.message.

    Fails when the call succeeds or is refused with another code.
    """

    def __init__(self, code, status=400):
        self.code, self.status, self.refusal = code, status, Refusal()

    def __enter__(self):
        return self.refusal

    def __exit__(self, kind, error, traceback):
        assert error is not None, f"the call succeeded; {self.code} was expected"
        if not isinstance(error, ClientError):
            return False
        answer = self.refusal
        answer.response = error.response
        answer.code = error.response["Error"]["Code"]
        answer.message = error.response["Error"].get("Message", "")
        answer.status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert (answer.code, answer.status) == (self.code, self.status), repr(answer)
        return True

"""--auth iam: each fault that a signature can have, with AWS's words for it, in both services' envelopes."""

import time
from datetime import datetime, timedelta, timezone

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from support.aws import refused
from support.fixtures import serve
from support.iam import KEYS, REPOSITORY, Signed, client, error_of, options

IDENTITY = "Action=GetCallerIdentity&Version=2011-06-15"
MISMATCH = ("The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.")


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    yield from serve(tmp_path_factory, *options())


def now():
    return datetime.now(timezone.utc)


def stamp(when):
    return when.strftime("%Y%m%dT%H%M%SZ")


def sts(server, **settings):
    return Signed(server, service="sts", form=IDENTITY, **settings)


def test_signed_requests(drydock):
    assert Signed(drydock).send().status_code == 200
    assert sts(drydock).send().status_code == 200
    assert client(drydock, "admin").describe_repositories()["repositories"] == []


def test_presigned(drydock):
    answer = sts(drydock, query=True).send()
    assert answer.status_code == 200 and "user/admin</Arn>" in answer.text


def test_no_signature(drydock):
    request = Signed(drydock)
    del request.headers["Authorization"]
    assert error_of(request.send()) == (400, "MissingAuthenticationTokenException", "Missing Authentication Token")
    request = sts(drydock)
    del request.headers["Authorization"]
    assert error_of(request.send())[:2] == (403, "MissingAuthenticationToken")


@pytest.mark.parametrize("old, new, starts", [
    ("AWS4-HMAC-SHA256 Credential", "AWS4-HMAC-SHA256 Credentials", "Authorization header requires 'Credential' parameter. "),
    ("Signature=", "Sign=", "Authorization header requires 'Signature' parameter. "),
    ("SignedHeaders=", "Headers=", "Authorization header requires 'SignedHeaders' parameter. "),
    ("/us-east-1/", "/", "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
     "got '"),
    ("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA512 ", "The Authorization header is not of the form "),
])
def test_incomplete(drydock, old, new, starts):
    status, code, message = error_of(Signed(drydock).change("Authorization", old, new).send())
    assert (status, code) == (400, "IncompleteSignatureException") and message.startswith(starts)
    status, code, message = error_of(sts(drydock).change("Authorization", old, new).send())
    assert (status, code) == (400, "IncompleteSignature") and message.startswith(starts)


def test_no_date(drydock):
    request = Signed(drydock)
    del request.headers["X-Amz-Date"]
    status, code, message = error_of(request.send())
    assert (status, code) == (400, "IncompleteSignatureException")
    assert message.startswith("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")


def test_a_date_of_another_form(drydock):
    request = Signed(drydock)
    request.headers["X-Amz-Date"] = "today"
    assert error_of(request.send()) == (400, "IncompleteSignatureException", (
        "Date must be in ISO-8601 'basic format'. Got 'today'. See http://en.wikipedia.org/wiki/ISO_8601"))


def test_the_scope_of_another_day(drydock):
    request = Signed(drydock)
    day, sent = request.headers["X-Amz-Date"][:8], request.headers["X-Amz-Date"]
    request.change("Authorization", f"/{day}/", "/20200101/")
    assert error_of(request.send()) == (400, "InvalidSignatureException", (
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        f"'20200101' != '{day}', from '{sent}'."))


@pytest.mark.parametrize("skew, words", [(-16, "Signature expired: "), (16, "Signature not yet current: ")])
def test_skew(drydock, skew, words):
    at = now() + timedelta(minutes=skew)
    status, code, message = error_of(Signed(drydock, at=at).send())
    assert (status, code) == (400, "InvalidSignatureException")
    assert message.startswith(f"{words}{stamp(at)} is ") and "15 min.)" in message
    status, code, message = error_of(sts(drydock, at=at).send())
    assert (status, code) == (403, "SignatureDoesNotMatch") and message.startswith(words)


def test_skew_within_bounds(drydock):
    for minutes in (-14, 14):
        assert Signed(drydock, at=now() + timedelta(minutes=minutes)).send().status_code == 200


def test_skew_is_by_the_machines_clock(drydock):
    """The SDKs sign with it: a test that moves Drydock's must not have to move theirs."""
    drydock.advance(30 * 86400)
    assert Signed(drydock).send().status_code == 200
    assert error_of(Signed(drydock, at=now() + timedelta(days=30)).send())[1] == "InvalidSignatureException"


def test_presigned_expiry(drydock):
    request = sts(drydock, query=True, expires=1)
    assert request.send().status_code == 200
    time.sleep(2.1)
    status, code, message = error_of(request.send())
    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert message.startswith("Signature expired: ") and message.endswith(" - 1 sec.)")
    status, code, message = error_of(sts(drydock, query=True, expires=604801).send())
    assert (status, code) == (400, "IncompleteSignature")
    altered = sts(drydock, query=True, expires=60).change("url", "X-Amz-Expires=60", "X-Amz-Expires=6000")
    assert error_of(altered.send())[1] == "SignatureDoesNotMatch"


def test_an_unknown_key(drydock):
    stranger = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    invalid = "The security token included in the request is invalid."
    assert error_of(Signed(drydock, credentials=stranger).send()) == (400, "UnrecognizedClientException", invalid)
    assert error_of(sts(drydock, credentials=stranger).send()) == (403, "InvalidClientTokenId", invalid)
    with refused("UnrecognizedClientException"):
        drydock.ecr(access_key="503561414328").describe_repositories()


def test_another_secret(drydock):
    wrong = Credentials(KEYS["admin"][0], KEYS["pipeline"][1])
    status, code, message = error_of(Signed(drydock, credentials=wrong).send())
    assert (status, code) == (400, "InvalidSignatureException") and message.startswith(MISMATCH)
    status, code, message = error_of(sts(drydock, credentials=wrong).send())
    assert (status, code) == (403, "SignatureDoesNotMatch") and message.startswith(MISMATCH)


def test_the_canonical_request_is_told(drydock):
    """As AWS's front end does: what should have been signed, to find the difference."""
    request = Signed(drydock, body=b'{"maxResults":5}').change("Authorization", "Signature=", "Signature=")
    request.body = b'{"maxResults":6}'
    message = error_of(request.send())[2]
    assert message.startswith(f"{MISMATCH}\n\nThe Canonical String for this request should have been\n'POST\n/\n\n")
    assert f"\nhost:{drydock.host}\n" in message and "\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n" in message


@pytest.mark.parametrize("spoil", ["signature", "body", "header", "target", "date", "query"])
def test_whatever_is_signed_counts(drydock, spoil):
    request = Signed(drydock, headers={"X-Amz-Custom": "a"})
    if spoil == "signature":
        last = request.headers["Authorization"][-1]
        request.headers["Authorization"] = request.headers["Authorization"][:-1] + ("0" if last != "0" else "1")
    elif spoil == "body":
        request.body = b'{"maxResults":1}'
    elif spoil == "header":
        request.headers["X-Amz-Custom"] = "b"
    elif spoil == "target":
        request.change("X-Amz-Target", "DescribeRepositories", "DescribeRegistry")
    elif spoil == "date":
        request.headers["X-Amz-Date"] = stamp(
            datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ") + timedelta(seconds=1))
    else:
        request.url += "?a=b"
    status, code, message = error_of(request.send())
    assert (status, code) == (400, "InvalidSignatureException") and message.startswith(MISMATCH)


def signed_get(server, query, sent):
    """STS's answer to a query that goes out otherwise than it was signed."""
    request = AWSRequest(method="GET", url=f"{server.url}/?{query}")
    SigV4Auth(Credentials(*KEYS["admin"]), "sts", "us-east-1").add_auth(request)
    with server.connect() as connection:
        connection.request("GET", f"/?{sent}", request.headers.items())
        return connection.read_response()


def test_one_parameter_says_one_thing(drydock):
    """The signature sorts parameters: of a name that comes twice either value could be meant."""
    assert signed_get(drydock, IDENTITY, IDENTITY).status == 200
    for twice in ("Action=GetSessionToken", "%41ction=GetSessionToken", "Version=2011-06-15", "a=%zz"):
        for sent in (f"{IDENTITY}&{twice}", f"{twice}&{IDENTITY}"):
            answer = signed_get(drydock, f"{IDENTITY}&{twice}", sent)
            assert answer.status == 400 and b"<Code>IncompleteSignature</Code>" in answer.body, sent
            assert b"A parameter of the query string is given twice, or has a malformed escape." in answer.body
    presigned = sts(drydock, query=True)
    presigned.url += "&Action=GetSessionToken"
    assert error_of(presigned.send())[1] == "IncompleteSignature"


def test_blanks_and_plus_signs_have_signatures_of_their_own(drydock):
    def asks(name):
        return f"{IDENTITY}&x={name}"

    assert signed_get(drydock, asks("a%2Bb"), asks("a%2Bb")).status == 200
    assert signed_get(drydock, asks("a%20b"), asks("a+b")).status == 200
    for signed, sent in (("a%2Bb", "a+b"), ("a%2Bb", "a%20b"), ("a%20b", "a%2Bb")):
        answer = signed_get(drydock, asks(signed), asks(sent))
        assert answer.status == 403 and b"<Code>SignatureDoesNotMatch</Code>" in answer.body, sent


def test_nothing_is_done_before_the_signature_is_right(drydock):
    request = Signed(drydock, operation="CreateRepository", body=b'{"repositoryName":"made-by-nobody"}')
    request.body = b'{"repositoryName":"made-by-nobody2"}'
    assert error_of(request.send())[1] == "InvalidSignatureException"
    assert client(drydock, "admin").describe_repositories()["repositories"] == []


def test_host_and_amz_headers_must_be_signed(drydock):
    request = Signed(drydock)
    request.headers["X-Amz-Extra"] = "1"
    assert error_of(request.send()) == (400, "InvalidSignatureException", (
        "'X-Amz-Extra' must be a 'SignedHeader' in the AWS Authorization."))
    request = Signed(drydock)
    request.change("Authorization", "content-type;host;", "content-type;")
    assert error_of(request.send()) == (400, "InvalidSignatureException", (
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."))


def test_unsigned_payload_is_s3s_alone(drydock):
    request = Signed(drydock)
    request.request.context["payload_signing_enabled"] = False
    for name in ("Authorization", "X-Amz-Date"):
        del request.request.headers[name]
    signer = S3SigV4Auth(Credentials(*KEYS["admin"]), "ecr", "us-east-1")
    request.request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    signer.payload = lambda _: "UNSIGNED-PAYLOAD"
    signer.add_auth(request.request)
    request.headers = dict(request.request.headers.items())
    assert request.headers["X-Amz-Content-SHA256"] == "UNSIGNED-PAYLOAD"
    assert error_of(request.send())[1] == "InvalidSignatureException"


def test_the_scope(drydock):
    assert error_of(Signed(drydock, service="sts").send()) == (
        400, "InvalidSignatureException", "Credential should be scoped to correct service: 'ecr'. ")
    named = Signed(drydock, service="ecr", form=IDENTITY, headers={"Host": "sts.us-east-1.amazonaws.com"})
    named.headers["Host"] = "sts.us-east-1.amazonaws.com"
    assert error_of(named.send())[1:] == (
        "SignatureDoesNotMatch", "Credential should be scoped to correct service: 'sts'. ")
    assert error_of(Signed(drydock, region="US_EAST").send())[1:] == (
        "InvalidSignatureException", "Credential should be scoped to a valid region, not 'US_EAST'. ")
    elsewhere = Signed(drydock, region="eu-west-1", headers={"Host": "api.ecr.us-east-1.amazonaws.com"})
    assert error_of(elsewhere.send())[1:] == (
        "InvalidSignatureException", "Credential should be scoped to a valid region, not 'eu-west-1'. ")
    here = Signed(drydock, region="eu-west-1", headers={"Host": "api.ecr.eu-west-1.amazonaws.com"})
    assert here.send().status_code == 200


@pytest.mark.parametrize("host, region, good", [
    ("sts.amazonaws.com", "us-east-1", True), ("sts.eu-west-1.amazonaws.com", "eu-west-1", True),
    ("sts.amazonaws.com", "eu-west-1", False), ("sts.eu-west-1.amazonaws.com", "us-east-1", False)])
def test_sts_host_names(drydock, host, region, good):
    from botocore.auth import SigV4Auth
    request = sts(drydock, region=region)
    request.request.headers["Host"] = host
    del request.request.headers["Authorization"], request.request.headers["X-Amz-Date"]
    SigV4Auth(Credentials(*KEYS["admin"]), "sts", region).add_auth(request.request)
    request.headers = dict(request.request.headers.items())
    answer = request.send()
    assert answer.status_code == (200 if good else 403), answer.text


def test_a_token_with_a_lasting_key(drydock):
    credentials = Credentials(*KEYS["admin"], "some token")
    assert error_of(Signed(drydock, credentials=credentials).send())[1] == "UnrecognizedClientException"


def test_every_region_is_a_registry(drydock):
    client(drydock, "admin").create_repository(repositoryName=REPOSITORY)
    assert client(drydock, "admin", region="eu-west-1").describe_repositories()["repositories"] == []

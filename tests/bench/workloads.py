"""What is measured: one entry of WORKLOADS each.  To add a workload, write its two functions and its entry."""

import json
import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from servers import free_port

REPO = "bench/load"
QUOTA = 99000       # a registry takes 100,000 repositories, a repository 100,000 images
TAGS_PER_IMAGE = 1000
TAGS_PER_PUT = 50   # each comes back as a header, of which http.client takes 100
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass
class Sample:
    """One run on one server."""
    value: float                # in the workload's unit
    cpu: float = 0.0            # server CPU seconds per operation
    p50_us: float = 0.0
    p99_us: float = 0.0
    errors: int = 0
    retries: int = 0            # requests sent again: the kept connection had been closed
    notes: dict = field(default_factory=dict)


@dataclass
class Budget:
    """Of design section 10.  kind: ratio (times peer), cpu (seconds per operation), p99_us, value, idle or peak (MiB)."""
    kind: str
    limit: float
    peer: str = ""
    subject: str = "drydock"    # which Drydock


@dataclass
class Workload:
    name: str
    title: str
    unit: str                   # MB/s, /s, ms, MiB or x
    servers: tuple
    run: object                 # (bench, server, round) -> Sample
    prepare: object = None      # (bench, server), after each start
    budgets: tuple = ()
    fresh: bool = False         # a new server with an empty folder for every round
    started: bool = True        # run() gets a running server
    lower_is_better: bool = False
    cpu_unit: str = "us"        # s or us per operation; "" when it means nothing
    full: bool = False          # only with --full
    tls: bool = False           # the servers serve over TLS, with certificates of the same kind


# ---- shared steps ----

def rate(bench, server, arguments):
    """Run the load generator; operations a second."""
    done, cpu = bench.load(server, arguments)
    ops = max(done["ops"], 1)
    return Sample(done["ops"] / max(done["seconds"], 1e-9), cpu / ops, done["p50_us"], done["p99_us"], done["errors"],
                  done["retries"])


def throughput(bench, server, arguments):
    """The same in MB/s."""
    sample = rate(bench, server, arguments)
    sample.value *= bench.large_mib * 1.048576
    return sample


def prepare_repository(bench, server):
    server.create_repository(REPO)


def image_manifest(server, repository):
    """A manifest whose images differ by the counter {{n}}; its blobs are pushed where blobs are checked."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    layer = b"bench" * 1000
    if server.kind == "registry":
        digests = [server.push_blob(repository, data) for data in (config, layer)]
    else:
        digests = ["sha256:" + "c" * 64, "sha256:" + "d" * 64]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST,
                       "config": {"mediaType": OCI_CONFIG, "size": len(config), "digest": digests[0]},
                       "layers": [{"mediaType": OCI_LAYER, "size": len(layer), "digest": digests[1]}],
                       "annotations": {"bench": "{{n}}"}})


def put_image_body(bench, server, repository):
    """A PutImage request whose manifest and tag differ by a counter."""
    return bench.body({"repositoryName": repository, "imageManifest": image_manifest(server, repository),
                       "imageManifestMediaType": OCI_MANIFEST, "imageTag": "t{{n}}"})


def seed_images(bench, server, repository, count):
    """A repository with count tagged images, t000000000000 and on."""
    server.create_repository(repository)
    body = put_image_body(bench, server, repository)
    bench.progress(f"seeding {count} images on {server.key}")
    done, _ = bench.load(server, ["api", "--target", "PutImage", "--body", body, "--count", count,
                                  "--connections", 16])
    if done["errors"] or done["ops"] != count:
        raise RuntimeError(f"{server.key}: seeding {count} images failed")
    return body


def registry_request(server, method, path, body=None, headers=()):
    """A request with the registry's login; the answer's headers and body.  RuntimeError when it is not 200 or 201."""
    headers = {**dict(headers), **({"Authorization": server.auth} if server.auth else {})}
    status, answer, body = server.request(method, path, body, headers)
    if status not in (200, 201):
        words = body[:300].decode(errors="replace")
        raise RuntimeError(f"{server.key}: {method} {path[:100]} answered {status} {words}")
    return answer, body


def put_tags(server, repository, manifest, tags):
    """Give an image its tags: in one PUT where OCI-Tag says that they were taken, else in one each."""
    done = 0
    while done < len(tags):
        query = "&".join("tag=" + tag for tag in tags[done + 1:])
        path = f"/v2/{repository}/manifests/{tags[done]}" + ("?" + query if query else "")
        answer, _ = registry_request(server, "PUT", path, manifest.encode(), {"Content-Type": OCI_MANIFEST})
        done += max(1, len(answer.get_all("OCI-Tag", [])))


def seed_tags(bench, server, repository, count):
    """A repository with count tags, t000000000000 and on, a thousand an image."""
    server.create_repository(repository)
    text = image_manifest(server, repository)
    for first in range(0, count, TAGS_PER_PUT):
        bench.progress(f"seeding tag {first} of {count} on {server.key}")
        put_tags(server, repository, text.replace("{{n}}", str(first // TAGS_PER_IMAGE)),
                 [f"t{n:012}" for n in range(first, min(first + TAGS_PER_PUT, count))])


def last_tag_page(server, repository, count):
    """Follow the links through all the tags, which must be the count seeded; the path of the last page."""
    path = link = f"/v2/{repository}/tags/list?n={max(10, count // 100)}"
    found = []
    while link:
        path = link
        answer, body = registry_request(server, "GET", path)
        found += json.loads(body)["tags"]
        link = re.sub(r"^[^<]*<(https?://[^/]*)?([^>]*)>.*", r"\2", answer["Link"] or "")
    if len(found) != count or len(set(found)) != count:
        raise RuntimeError(f"{server.key}: {repository} lists {len(found)} tags instead of {count}")
    return path


def check_count(server, operation, member, wanted, **members):
    found = len(server.api(operation, **members)[member])
    if found != wanted:
        raise RuntimeError(f"{server.key}: {operation} answered {found} items instead of {wanted}")


# ---- layers and images ----

def run_push_large(bench, server, number):
    size = ["--size", bench.large_mib, "--seed", bench.new_seed()]
    if server.kind == "files":
        return throughput(bench, server, ["put", "--path", f"/put/{number}", *size])
    return throughput(bench, server, ["push-large", "--repo", REPO, *size])


def push_small(clients):
    def run(bench, server, number):
        return rate(bench, server, ["push-small", "--repo", REPO, "--connections", clients,
                                    "--seconds", bench.seconds, "--seed", bench.new_seed()])
    return run


def run_push_chunked(bench, server, number):
    """As push-large, in PATCHes of 6 MiB."""
    return throughput(bench, server, ["push-large", "--repo", REPO, "--size", bench.large_mib, "--chunk", 6,
                                      "--seed", bench.new_seed()])


def push_shared(clients):
    """Images of which five of the six layers are there already: an image that is not measured brought them."""
    def run(bench, server, number):
        common = ["push-small", "--repo", REPO, "--shared", 5, "--seed", bench.new_seed()]
        done, _ = bench.load(server, [*common, "--count", 1])
        if done["errors"]:
            raise RuntimeError(f"{server.key}: the shared layers could not be pushed")
        return rate(bench, server, [*common, "--connections", clients, "--seconds", bench.seconds, "--first", 1])
    return run


def prepare_pull_large(bench, server):
    if server.kind == "files":
        bench.load(server, ["put", "--path", "/put/layer", "--size", bench.large_mib, "--seed", 1])
        server.pull = ["--path", "/put/layer"]
        return
    server.create_repository(REPO)
    done, _ = bench.load(server, ["push-large", "--repo", REPO, "--size", bench.large_mib, "--seed", 1])
    server.pull = ["--repo", REPO, "--digest", done["digest"]]
    done, _ = bench.load(server, ["pull-large", *server.pull, "--size", bench.large_mib, "--verify"])
    if done["errors"]:
        raise RuntimeError(f"{server.key}: the layer did not come back as it was pushed")


def pull_large(clients, count=8):
    """Each client pulls the layer count times."""
    def run(bench, server, number):
        return throughput(bench, server, ["pull-large", *server.pull, "--size", bench.large_mib,
                                          "--count", count * clients, "--connections", clients])
    return run


def prepare_pull_small(bench, server):
    server.create_repository(REPO)
    done, _ = bench.load(server, ["push-small", "--repo", REPO, "--count", 100, "--seed", 1])
    if done["errors"]:
        raise RuntimeError(f"{server.key}: the images to pull could not be pushed")


def pull_small(clients):
    def run(bench, server, number):
        return rate(bench, server, ["pull-small", "--repo", REPO, "--images", 100, "--seed", 1,
                                    "--connections", clients, "--seconds", bench.seconds])
    return run


def prepare_manifest(bench, server):
    """An image of 31 requests, its manifest known as v1-0; nginx gets a file of the same size."""
    if server.kind == "files":
        (server.data / "manifest").write_bytes(b"x" * bench.manifest_bytes)
        return
    server.create_repository(REPO)
    bench.load(server, ["push-small", "--repo", REPO, "--count", 1, "--seed", 1])
    accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    headers = {**accept, "Authorization": server.auth} if server.auth else accept
    status, _, body = server.request("GET", f"/v2/{REPO}/manifests/v1-0", None, headers)
    if status != 200:
        raise RuntimeError(f"{server.key}: the manifest's GET answered {status}")
    bench.manifest_bytes = len(body)


def manifest(clients):
    def run(bench, server, number):
        common = ["--connections", clients, "--seconds", bench.seconds]
        if server.kind == "files":
            return rate(bench, server, ["get", "--path", "/manifest", "--head", *common])
        return rate(bench, server, ["manifest", "--repo", REPO, "--tag", "v1-0", *common])
    return run


# ---- the API ----

def api(operation, clients=16, count=0, **members):
    """Call one operation again and again (at most count times); {{n}} in a member becomes a number, new each time."""
    def run(bench, server, number):
        body = server.bodies.get(operation) or bench.body(members)
        return rate(bench, server, ["api", "--target", operation, "--body", body, "--connections", clients,
                                    "--seconds", bench.seconds, "--count", count,
                                    "--first", bench.new_seed() * 1000000])
    return run


def prepare_repositories(bench, server):
    body = bench.body({"repositoryName": "bench/{{n}}"})
    done, _ = bench.load(server, ["api", "--target", "CreateRepository", "--body", body, "--count", 100])
    if done["errors"]:
        raise RuntimeError(f"{server.key}: the repositories could not be created")
    check_count(server, "DescribeRepositories", "repositories", 100, maxResults=100)


def prepare_named_repositories(bench, server):
    """One by one, each request signed."""
    for number in range(10):
        server.create_repository(f"bench/{number:012}")


def prepare_images(bench, server):
    seed_images(bench, server, REPO, 100)
    check_count(server, "DescribeImages", "imageDetails", 100, repositoryName=REPO, maxResults=100)


def prepare_batch_get_image(bench, server):
    seed_images(bench, server, REPO, 100)
    check_count(server, "BatchGetImage", "images", 1, repositoryName=REPO, imageIds=[{"imageTag": "t000000000003"}])


def prepare_first_page(count):
    def prepare(bench, server):
        seed_images(bench, server, REPO, count)
        if server.kind == "registry":       # moto has no pages: it answers everything
            check_count(server, "DescribeImages", "imageDetails", 10, repositoryName=REPO, maxResults=10)
    return prepare


def prepare_put_image(bench, server):
    server.create_repository(REPO)
    server.bodies["PutImage"] = put_image_body(bench, server, REPO)


# ---- cost against what is stored ----

def prepare_growth(count):
    def prepare(bench, server):
        for name, images in (("bench/few", 10), ("bench/many", count)):
            server.bodies[name] = seed_images(bench, server, name, images)
            if server.kind == "registry":       # moto has no pages: it answers everything
                check_count(server, "DescribeImages", "imageDetails", 10, repositoryName=name, maxResults=10)
    return prepare


def run_growth_page(bench, server, number):
    """The median time of DescribeImages' first page of 10: in the large repository, over the small one's."""
    done = {}
    for name in ("bench/few", "bench/many"):
        body = bench.body({"repositoryName": name, "maxResults": 10})
        done[name] = rate(bench, server, ["api", "--target", "DescribeImages", "--body", body,
                                          "--seconds", max(1, bench.seconds / 2)])
    few, many = done["bench/few"], done["bench/many"]
    return Sample(many.p50_us / few.p50_us, many.cpu, many.p50_us, many.p99_us, few.errors + many.errors,
                  few.retries + many.retries, {"cpu_ratio": many.cpu / max(few.cpu, 1e-9)})


def run_growth_write(bench, server, number):
    """The mean time of a PutImage by 16 clients: into the large repository, over the small one's."""
    done = {}
    for name in ("bench/few", "bench/many"):
        done[name] = rate(bench, server, ["api", "--target", "PutImage", "--body", server.bodies[name],
                                          "--connections", 16, "--count", 2000,
                                          "--first", bench.new_seed() * 1000000])
    few, many = done["bench/few"], done["bench/many"]
    return Sample(few.value / max(many.value, 1e-9), many.cpu, many.p50_us, many.p99_us, few.errors + many.errors,
                  few.retries + many.retries, {"cpu_ratio": many.cpu / max(few.cpu, 1e-9)})


def prepare_tags(count):
    def prepare(bench, server):
        seed_tags(bench, server, REPO, count)
        last_tag_page(server, REPO, count)
    return prepare


def tags(clients):
    def run(bench, server, number):
        return rate(bench, server, ["get", "--path", f"/v2/{REPO}/tags/list?n=100", "--connections", clients,
                                    "--seconds", bench.seconds])
    return run


def prepare_growth_tags(count):
    def prepare(bench, server):
        server.pages = {}
        for name, wanted in (("bench/few", 10), ("bench/many", count)):
            seed_tags(bench, server, name, wanted)
            server.pages[name] = f"/v2/{name}/tags/list?n=5"
        last = last_tag_page(server, "bench/many", count)
        server.pages["last"] = re.sub(r"\bn=\d+", "n=5", last)
    return prepare


def run_growth_tags(bench, server, number):
    """The median time of a page of 5 tags: the first or a last one of many, whichever is slower, over the first of 10.

    All three have a Link.  Each is measured twice, in turn, and the better time counts: the difference looked for is
    smaller than what a shared machine does to a single run.
    """
    runs = {name: [] for name in server.pages}
    for _ in range(2):
        for name, path in server.pages.items():
            runs[name].append(rate(bench, server, ["get", "--path", path, "--seconds", max(0.5, bench.seconds / 4)]))
    best = {name: min(samples, key=lambda sample: sample.p50_us) for name, samples in runs.items()}
    few = best.pop("bench/few")
    many = max(best.values(), key=lambda sample: sample.p50_us)
    every = [sample for samples in runs.values() for sample in samples]
    return Sample(many.p50_us / few.p50_us, many.cpu, many.p50_us, many.p99_us, sum(sample.errors for sample in every),
                  sum(sample.retries for sample in every),
                  {name: sample.p50_us / few.p50_us for name, sample in best.items()})


# ---- lifecycle ----

def keep_images(count):
    """A lifecycle policy that keeps the newest of all images."""
    return json.dumps({"rules": [{"rulePriority": 1, "selection": {
        "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count}, "action": {"type": "expire"}}]})


def prepare_lifecycle(count):
    def prepare(bench, server):
        seed_images(bench, server, REPO, count)
        server.api("PutLifecyclePolicy", repositoryName=REPO, lifecyclePolicyText=keep_images(1))
    return prepare


def make_preview(server, expiring):
    server.api("StartLifecyclePolicyPreview", repositoryName=REPO)
    while True:
        answer = server.api("GetLifecyclePolicyPreview", repositoryName=REPO, maxResults=1)
        if answer["status"] == "COMPLETE":
            break
        time.sleep(0.005)
    if answer["summary"]["expiringImageTotalCount"] != expiring:
        raise RuntimeError(f"{server.key}: the preview says {answer['summary']}")


def run_policy(server, expired):
    status, _, body = server.request("POST", "/_drydock/lifecycle/run", b"{}")
    report = json.loads(body)["repositories"][0] if status == 200 else None
    if not report or report["expiredImageCount"] != expired:
        raise RuntimeError(f"{server.key}: the run answered {status} {body[:300]}")


def push_beside(bench, server, alive=lambda: False):
    """PutImage by 4 clients, for half a second at a time, at least once and as long as alive() says; the samples."""
    samples = []
    while not samples or alive():
        repository = f"bench/beside-{bench.new_seed()}"     # one takes 100,000 images
        server.create_repository(repository)
        samples.append(rate(bench, server, ["api", "--target", "PutImage", "--connections", 4, "--seconds", 0.5,
                                            "--body", put_image_body(bench, server, repository)]))
    return samples


def timed(server, count, work):
    """How long the work takes, and the CPU time for each image."""
    before, cpu = time.monotonic(), server.cpu()
    work(server, count - 1)
    return Sample((time.monotonic() - before) * 1000, (server.cpu() - cpu) / count,
                  notes={"peak_mib": server.peak_kib() / 1024})


def lifecycle_alone(count, work):
    def run(bench, server, number):
        return timed(server, count, work)
    return run


def lifecycle_beside(count, work):
    """The median time of a PutImage by 4 clients beside the work, over the same just before and after it."""
    def run(bench, server, number):
        push_beside(bench, server)          # to warm up
        alone = push_beside(bench, server)
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(timed, server, count, work)
            beside = push_beside(bench, server, lambda: not done.done())
            took = done.result().value
        alone += push_beside(bench, server)

        def middle(samples, name):
            return statistics.median(getattr(sample, name) for sample in samples)
        return Sample(middle(beside, "p50_us") / middle(alone, "p50_us"), middle(beside, "cpu"),
                      middle(beside, "p50_us"), middle(beside, "p99_us"),
                      sum(sample.errors for sample in alone + beside),
                      notes={"alone_p50_us": middle(alone, "p50_us"), "alone_p99_us": middle(alone, "p99_us"),
                             "alone_per_second": middle(alone, "value"),
                             "beside_per_second": middle(beside, "value"), "took_ms": took,
                             "peak_mib": server.peak_kib() / 1024})
    return run


# ---- starting ----

def run_start(bench, server, number):
    server.port = free_port()
    server.prepare()
    done, _ = bench.load(server, ["start", "--path", server.probe, "--", *server.command()])
    return Sample(done["p50_us"] / 1000, errors=done["errors"])


def run_start_again(bench, server, number):
    """The same with what prepare stored."""
    server.stop()
    return run_start(bench, server, number)


def run_idle(bench, server, number):
    time.sleep(1)
    return Sample(server.rss_kib() / 1024)


DRYDOCKS = ("drydock", "drydock-ephemeral")


def api_workloads(name, title, operation, prepare=None, clients=(1, 64), always=(), count=0,
                  servers=("drydock", "moto"), fresh=False, **members):
    """One entry for each number of connections, those not in always for --full; members are the request's."""
    return [Workload(f"{name}-{n}", f"{title}, {n} client" + "s" * (n > 1), "/s", servers,
                     api(operation, n, count, **members), prepare, fresh=fresh, full=n not in always) for n in clients]


def first_page_workloads(images, servers=("drydock", "moto")):
    return api_workloads(f"first-page-of-{images}", f"DescribeImages, first 10 of {images:,}", "DescribeImages",
                         prepare_first_page(images), (1, 16, 64), servers=servers, repositoryName=REPO, maxResults=10)


def lifecycle_workloads(count):
    """A preview changes nothing and can be had again; a run wants its images anew."""
    common = dict(servers=("drydock",), prepare=prepare_lifecycle(count), lower_is_better=True, full=True)
    return [
        Workload(f"preview-{count}", f"lifecycle preview of {count:,} images", "ms",
                 run=lifecycle_alone(count, make_preview), **common),
        Workload(f"preview-{count}-beside", f"PutImage beside a preview of {count:,}, against alone", "x",
                 run=lifecycle_beside(count, make_preview), **common),
        Workload(f"run-{count}", f"lifecycle run that expires {count:,} images", "ms", fresh=True,
                 run=lifecycle_alone(count, run_policy), **common),
        Workload(f"run-{count}-beside", f"PutImage beside a run of {count:,}, against alone", "x", fresh=True,
                 run=lifecycle_beside(count, run_policy), **common),
    ]


WORKLOADS = (
    Workload("push-large", "push one layer of {large} MiB", "MB/s", (*DRYDOCKS, "docker-registry", "nginx"),
             run_push_large, prepare_repository, fresh=True, cpu_unit="s", budgets=(
                 Budget("ratio", 3, "docker-registry"), Budget("ratio", 4, "docker-registry", DRYDOCKS[1]),
                 Budget("ratio", 0.85, "nginx"), Budget("ratio", 0.85, "nginx", DRYDOCKS[1]),
                 Budget("cpu", 0.65), Budget("cpu", 0.65, "", DRYDOCKS[1]))),
    Workload("push-chunked", "push a layer of {large} MiB in 6 MiB chunks", "MB/s", (*DRYDOCKS, "docker-registry"),
             run_push_chunked, prepare_repository, fresh=True, cpu_unit="s"),
    Workload("push-small-4", "push small images, 4 clients", "/s", (*DRYDOCKS, "docker-registry"),
             push_small(4), prepare_repository, budgets=(Budget("cpu", 0.001),)),
    Workload("push-small-16", "push small images, 16 clients", "/s", (*DRYDOCKS, "docker-registry"),
             push_small(16), prepare_repository, budgets=(
                 Budget("ratio", 20, "docker-registry"), Budget("ratio", 45, "docker-registry", DRYDOCKS[1]),
                 Budget("cpu", 0.001), Budget("cpu", 0.001, "", DRYDOCKS[1]))),
    Workload("push-shared-16", "push images sharing layers, 16 clients", "/s", (*DRYDOCKS, "docker-registry"),
             push_shared(16), prepare_repository),
    Workload("pull-large", "pull a layer of {large} MiB", "MB/s", ("drydock", "docker-registry", "nginx"),
             pull_large(1), prepare_pull_large, cpu_unit="s", budgets=(
                 Budget("ratio", 1.0, "nginx"), Budget("cpu", 0.11))),
    Workload("pull-large-16", "pull a layer of {large} MiB, 16 clients", "MB/s",
             ("drydock", "docker-registry", "nginx"), pull_large(16, 1), prepare_pull_large, cpu_unit="s"),
    Workload("pull-small-16", "pull small images, 16 clients", "/s", ("drydock", "docker-registry"),
             pull_small(16), prepare_pull_small),
    Workload("manifest-16", "manifest GET and HEAD by tag, 16 clients", "/s", ("drydock", "docker-registry", "nginx"),
             manifest(16), prepare_manifest, budgets=(Budget("ratio", 0.75, "nginx"), Budget("cpu", 18e-6))),
    Workload("manifest-64", "manifest GET and HEAD by tag, 64 clients", "/s", ("drydock", "docker-registry", "nginx"),
             manifest(64), prepare_manifest, budgets=(Budget("ratio", 0.75, "nginx"), Budget("cpu", 18e-6))),
    Workload("tls-push-large", "push one layer of {large} MiB over TLS", "MB/s", ("drydock", "nginx"),
             run_push_large, prepare_repository, fresh=True, cpu_unit="s", tls=True),
    Workload("tls-pull-large", "pull a layer of {large} MiB over TLS", "MB/s", ("drydock", "nginx"),
             pull_large(1), prepare_pull_large, cpu_unit="s", tls=True),
    Workload("tls-pull-large-16", "pull a layer of {large} MiB over TLS, 16 clients", "MB/s", ("drydock", "nginx"),
             pull_large(16, 1), prepare_pull_large, cpu_unit="s", tls=True),
    Workload("tls-manifest-16", "manifest GET and HEAD over TLS, 16 clients", "/s", ("drydock", "nginx"),
             manifest(16), prepare_manifest, tls=True),
    Workload("tags-10", "all of 10 tags, 16 clients", "/s", ("drydock", "docker-registry"),
             tags(16), prepare_tags(10), full=True),
    Workload("tags-1000", "tag page of 100 at 1,000 tags, 16 clients", "/s", ("drydock", "docker-registry"),
             tags(16), prepare_tags(1000)),
    Workload("tags-100000", "tag page of 100 at 100,000 tags, 16 clients", "/s", ("drydock",),
             tags(16), prepare_tags(100000), full=True),
    Workload("describe-repository", "DescribeRepositories, one by name, 16 clients", "/s", ("drydock", "moto"),
             api("DescribeRepositories", repositoryNames=["bench/000000000003"]), prepare_repositories,
             budgets=(Budget("ratio", 150, "moto"), Budget("p99_us", 2000))),
    Workload("describe-repository-iam", "the same, one of 10", "/s",
             ("drydock", "drydock-iam"), api("DescribeRepositories", repositoryNames=["bench/000000000003"]),
             prepare_named_repositories),
    Workload("manifest-iam", "manifest GET and HEAD by tag", "/s", ("drydock", "drydock-iam"),
             manifest(16), prepare_manifest),
    Workload("describe-repositories", "DescribeRepositories, page of 100, 16 clients", "/s", ("drydock", "moto"),
             api("DescribeRepositories", maxResults=100), prepare_repositories,
             budgets=(Budget("ratio", 200, "moto"), Budget("p99_us", 2000))),
    Workload("describe-image", "DescribeImages, one by tag, 16 clients", "/s", ("drydock", "moto"),
             api("DescribeImages", repositoryName=REPO, imageIds=[{"imageTag": "t000000000003"}]), prepare_images,
             budgets=(Budget("ratio", 150, "moto"), Budget("p99_us", 2000))),
    Workload("describe-images", "DescribeImages, page of 100, 16 clients", "/s", ("drydock", "moto"),
             api("DescribeImages", repositoryName=REPO, maxResults=100), prepare_images,
             budgets=(Budget("ratio", 200, "moto"), Budget("p99_us", 2000))),
    Workload("create-repository", "CreateRepository, 16 clients", "/s", ("drydock", "moto"),
             api("CreateRepository", count=QUOTA, repositoryName="bench/{{n}}"), fresh=True,
             budgets=(Budget("ratio", 80, "moto"),)),
    Workload("put-image", "PutImage, 16 clients", "/s", ("drydock", "moto"),
             api("PutImage", count=QUOTA), prepare_put_image, fresh=True, budgets=(Budget("ratio", 80, "moto"),)),
    *api_workloads("batch-get-image", "BatchGetImage, one by tag", "BatchGetImage", prepare_batch_get_image,
                   (1, 16, 64), (16,), repositoryName=REPO, imageIds=[{"imageTag": "t000000000003"}]),
    *api_workloads("describe-repositories", "DescribeRepositories, page of 100", "DescribeRepositories",
                   prepare_repositories, maxResults=100),
    *first_page_workloads(10),
    *first_page_workloads(1000),
    *first_page_workloads(100000, ("drydock",)),
    *api_workloads("create-repository", "CreateRepository", "CreateRepository", count=QUOTA, fresh=True,
                   repositoryName="bench/{{n}}"),
    *api_workloads("put-image", "PutImage", "PutImage", prepare_put_image, count=QUOTA, fresh=True),
    Workload("tag-page-1000", "tag page of 5 at 1,000 tags against 10", "x", ("drydock", "docker-registry"),
             run_growth_tags, prepare_growth_tags(1000), lower_is_better=True, cpu_unit="",
             budgets=(Budget("value", 1.1),)),
    Workload("tag-page-100000", "tag page of 5 at 100,000 tags against 10", "x", ("drydock",),
             run_growth_tags, prepare_growth_tags(100000), lower_is_better=True, cpu_unit="", full=True,
             budgets=(Budget("value", 1.1),)),
    Workload("first-page-5400", "first page at 5,400 images against 10", "x", ("drydock", "moto"),
             run_growth_page, prepare_growth(5400), lower_is_better=True, cpu_unit="", budgets=(Budget("value", 1.1),)),
    Workload("first-page-100000", "first page at 100,000 images against 10", "x", ("drydock",),
             run_growth_page, prepare_growth(100000), lower_is_better=True, cpu_unit="", full=True,
             budgets=(Budget("value", 1.1),)),
    Workload("write-80000", "PutImage at 80,000 images against 10", "x", ("drydock",),
             run_growth_write, prepare_growth(80000), lower_is_better=True, cpu_unit="", full=True,
             budgets=(Budget("value", 1.1),)),
    Workload("start", "start to first answer, nothing stored", "ms", (*DRYDOCKS, "docker-registry", "nginx", "moto"),
             run_start, fresh=True, started=False, lower_is_better=True, cpu_unit="", budgets=(
                 Budget("value", 5), Budget("value", 5, "", DRYDOCKS[1]))),
    Workload("start-100000", "start to first answer, 100,000 images stored", "ms", ("drydock",),
             run_start_again, prepare_growth(100000), lower_is_better=True, cpu_unit="", full=True,
             budgets=(Budget("value", 10),)),
    Workload("idle", "memory when idle", "MiB", (*DRYDOCKS, "docker-registry", "nginx", "moto"),
             run_idle, fresh=True, lower_is_better=True, cpu_unit="", budgets=(
                 Budget("value", 4), Budget("value", 4, "", DRYDOCKS[1]))),
    *lifecycle_workloads(100000),
)

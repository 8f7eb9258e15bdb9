"""What is measured: one entry of WORKLOADS each.  To add a workload, write its two functions and its entry."""

import json
import time
from dataclasses import dataclass, field

from servers import free_port

REPO = "bench/load"
QUOTA = 99000       # a registry takes 100,000 repositories, a repository 100,000 images
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


def put_image_body(bench, server, repository):
    """A PutImage request whose manifest and tag differ by a counter; its blobs are pushed where blobs are checked."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    layer = b"bench" * 1000
    if server.kind == "registry":
        digests = [server.push_blob(repository, data) for data in (config, layer)]
    else:
        digests = ["sha256:" + "c" * 64, "sha256:" + "d" * 64]
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST,
                "config": {"mediaType": OCI_CONFIG, "size": len(config), "digest": digests[0]},
                "layers": [{"mediaType": OCI_LAYER, "size": len(layer), "digest": digests[1]}],
                "annotations": {"bench": "{{n}}"}}
    return bench.body({"repositoryName": repository, "imageManifest": json.dumps(manifest),
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


def pull_large(clients):
    def run(bench, server, number):
        return throughput(bench, server, ["pull-large", *server.pull, "--size", bench.large_mib,
                                          "--count", 8 * clients, "--connections", clients])
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


def prepare_images(bench, server):
    seed_images(bench, server, REPO, 100)
    check_count(server, "DescribeImages", "imageDetails", 100, repositoryName=REPO, maxResults=100)


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

WORKLOADS = (
    Workload("push-large", "push one layer of {large} MiB", "MB/s", (*DRYDOCKS, "docker-registry", "nginx"),
             run_push_large, prepare_repository, fresh=True, cpu_unit="s", budgets=(
                 Budget("ratio", 3, "docker-registry"), Budget("ratio", 4, "docker-registry", DRYDOCKS[1]),
                 Budget("ratio", 0.85, "nginx"), Budget("ratio", 0.85, "nginx", DRYDOCKS[1]),
                 Budget("cpu", 0.65), Budget("cpu", 0.65, "", DRYDOCKS[1]))),
    Workload("push-small-4", "push small images, 4 clients", "/s", (*DRYDOCKS, "docker-registry"),
             push_small(4), prepare_repository, budgets=(Budget("cpu", 0.001),)),
    Workload("push-small-16", "push small images, 16 clients", "/s", (*DRYDOCKS, "docker-registry"),
             push_small(16), prepare_repository, budgets=(
                 Budget("ratio", 20, "docker-registry"), Budget("ratio", 45, "docker-registry", DRYDOCKS[1]),
                 Budget("cpu", 0.001), Budget("cpu", 0.001, "", DRYDOCKS[1]))),
    Workload("pull-large", "pull a layer of {large} MiB", "MB/s", ("drydock", "docker-registry", "nginx"),
             pull_large(1), prepare_pull_large, cpu_unit="s", budgets=(
                 Budget("ratio", 1.0, "nginx"), Budget("cpu", 0.11))),
    Workload("manifest-16", "manifest GET and HEAD by tag, 16 clients", "/s", ("drydock", "docker-registry", "nginx"),
             manifest(16), prepare_manifest, budgets=(Budget("ratio", 0.75, "nginx"), Budget("cpu", 18e-6))),
    Workload("manifest-64", "manifest GET and HEAD by tag, 64 clients", "/s", ("drydock", "docker-registry", "nginx"),
             manifest(64), prepare_manifest, budgets=(Budget("ratio", 0.75, "nginx"), Budget("cpu", 18e-6))),
    Workload("describe-repository", "DescribeRepositories, one by name, 16 clients", "/s", ("drydock", "moto"),
             api("DescribeRepositories", repositoryNames=["bench/000000000003"]), prepare_repositories,
             budgets=(Budget("ratio", 150, "moto"), Budget("p99_us", 2000))),
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
)

"""How much of everything: a share of each measure for `make test`, all of it for `make attack`, or what the environment says."""

import os
import resource

FULL = os.environ.get("ATTACK") == "full"


def size(name, share, full):
    return int(os.environ.get(f"ATTACK_{name}", full if FULL else share))


REQUESTS = size("REQUESTS", 10_000, 100_000)  # mutated ones, over all servers
KILLS = size("KILLS", 25, 200)
SOAK_SECONDS = size("SOAK_SECONDS", 20, 300)
ARCHIVES = size("ARCHIVES", 30, 2_000)
READERS = size("READERS", 60, 60)
IDLE = size("IDLE", 2_000, 10_000)


def allow_descriptors(count):
    """This process, and the servers that it starts, may open that many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        assert hard >= count or hard == resource.RLIM_INFINITY or os.geteuid() == 0, (
            f"{count} descriptors are needed and the limit is {hard}: raise it (ulimit -Hn), or set ATTACK_IDLE lower")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard if hard >= count or hard == -1 else count))

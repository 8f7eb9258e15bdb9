#!/usr/bin/env python3
"""Measure Drydock side by side with its peers and print one table.

Every workload runs on every server in interleaved rounds; the medians are shown, with the ratios and the
budgets they are held against.  It reports: a missed budget is never a failure.  The exit status is 1 only
when operations failed.
"""

import argparse
import fnmatch
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from servers import ROOT, SERVERS, Drydock, Unavailable
from workloads import WORKLOADS

PEERS = ("docker-registry", "nginx", "moto")
SUBJECTS = {"drydock": ", durable", "drydock-ephemeral": ", ephemeral", "drydock-iam": ", --auth iam"}
PEAK_MIB = 16       # budget of Drydock's memory under any load


class Bench:
    """Options, folders, and what workloads need: the load generator, fresh seeds, request bodies."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.rounds = options.rounds or (3 if options.quick else 5)
        self.seconds = options.seconds or (1 if options.quick else 3)
        self.large_mib = options.large
        self.manifest_bytes = 1500
        self.generator = os.environ.get("DRYDOCK_LOAD") or self.find_generator()
        self.seed = int(time.time()) % 100000 * 1000 + 1000
        self.bodies = 0
        self.columns = []               # the peers that the table shows
        self.status = ""

    @staticmethod
    def find_generator():
        build = ROOT / "build"
        places = [build / "load", build / "tests" / "load", build / "tests" / "bench" / "load"]
        return str(next((p for p in places if p.exists()), places[0]))

    def new_seed(self):
        self.seed += 1
        return self.seed

    def body(self, members):
        self.bodies += 1
        path = self.folder / f"body-{self.bodies}.json"
        path.write_text(json.dumps(members))
        return path

    def load(self, server, arguments):
        """Run the load generator: what it printed, and the CPU seconds that the server used meanwhile."""
        arguments = [str(a) for a in arguments]
        command = [self.generator, arguments[0], "--to", server.address]
        auth = self.api_auth(server, arguments) if arguments[0] == "api" else server.auth
        if auth and arguments[0] != "start":
            command += ["--auth", auth]
        if server.tls:
            command.append("--tls")
        before = server.cpu() if server.process else 0
        done = subprocess.run(command + arguments[1:], stdout=subprocess.PIPE, text=True,
                              env={**os.environ, **server.env})
        cpu = server.cpu() - before if server.process else 0
        if done.returncode > 1 or not done.stdout.startswith("{"):
            raise RuntimeError(f"{server.key}: load {' '.join(arguments)} ended with status {done.returncode}")
        return json.loads(done.stdout), cpu

    @staticmethod
    def api_auth(server, arguments):
        """One signature for all requests: they are the same, and it is good for 15 minutes. --auth takes further headers too."""
        said = dict(zip(arguments, arguments[1:]))
        signed = server.api_signature(said["--target"], Path(said["--body"]).read_bytes())
        first = signed.pop("Authorization")
        return first and "\r\n".join([first, *(f"{name}: {value}" for name, value in signed.items())])

    def progress(self, text):
        if sys.stdout.isatty():
            print(f"\r\033[K{self.status} {text}", end="", flush=True)

    def progress_clear(self):
        if sys.stdout.isatty():
            print("\r\033[K", end="", flush=True)


class Measured:
    """The samples of one workload on one server."""

    def __init__(self):
        self.samples = []
        self.peak_mib = 0.0
        self.failure = None

    def median(self, name="value"):
        return statistics.median(getattr(s, name) for s in self.samples) if self.samples else None

    @property
    def errors(self):
        return sum(s.errors for s in self.samples)

    @property
    def retries(self):
        return sum(s.retries for s in self.samples)


class Stage:
    """The servers of one workload: started when first used, torn down with their folders at the end."""

    def __init__(self, bench, workload):
        self.bench = bench
        self.workload = workload
        self.servers = {}

    def server(self, key):
        if key not in self.servers:
            folder = self.bench.folder / key
            folder.mkdir()
            server = self.servers[key] = SERVERS[key](folder)
            server.bodies = {}
            server.tls = self.workload.tls
            if self.workload.started:
                server.start()
                if self.workload.prepare:
                    self.workload.prepare(self.bench, server)
        return self.servers[key]

    def close(self, key):
        server = self.servers.pop(key)
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)

    def close_all(self):
        for key in list(self.servers):
            self.close(key)


def measure_one(bench, stage, workload, key, number, measured):
    try:
        server = stage.server(key)
        os.sync()                       # so that nobody pays for what another left unwritten
        measured.samples.append(workload.run(bench, server, number))
        if server.process:
            measured.peak_mib = max(measured.peak_mib, server.peak_kib() / 1024)
    except Exception as error:          # one server's trouble is told, and the others go on
        measured.failure = str(error) or repr(error)
    if (workload.fresh or measured.failure) and key in stage.servers:
        stage.close(key)


def measure(bench, workload, keys, done, total):
    """All the rounds of a workload; {server: Measured}.  Each round begins with another server."""
    results = {key: Measured() for key in keys}
    stage = Stage(bench, workload)
    try:
        for number in range(bench.rounds):
            turn = number % len(keys)
            for key in keys[turn:] + keys[:turn]:
                bench.status = f"[{done + 1}/{total}] {workload.name}, round {number + 1} of {bench.rounds}:"
                bench.progress(key)
                if not results[key].failure:
                    measure_one(bench, stage, workload, key, number, results[key])
    finally:
        bench.progress_clear()
        stage.close_all()
    return results


# ---- the table ----

def show_number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def show_value(workload, measured):
    if measured is None:
        return ""
    value = measured.median()
    if value is None:
        return "failed"
    text = show_number(value)
    text += {"x": " x"}.get(workload.unit, " " + workload.unit if workload.unit[0] != "/" else workload.unit)
    if workload.cpu_unit:
        text += f" {show_cpu(workload, measured.median('cpu'))}"
    return text


def show_cpu(workload, seconds):
    if workload.cpu_unit == "s":
        return f"({seconds:.2f} s)"
    return f"({seconds * 1e6:,.0f} us)" if seconds < 0.01 else f"({seconds * 1e3:,.0f} ms)"


def ratio(workload, results, subject, peer):
    """How many times better than the peer, or None."""
    pair = [results.get(key) and results[key].median() for key in (subject, peer)]
    if not pair[0] or not pair[1]:
        return None
    return pair[1] / pair[0] if workload.lower_is_better else pair[0] / pair[1]


def judge(bench, workload, results, budget):
    """(met or None, words) of one budget."""
    mine = results.get(budget.subject)
    if mine is None or mine.median() is None:
        return None, ""
    if budget.kind == "ratio":
        found = ratio(workload, results, budget.subject, budget.peer)
        if found is None:
            return None, ""
        return found >= budget.limit, f"{show_number(found)} times {budget.peer} (at least {budget.limit:g})"
    if budget.kind == "cpu":
        found = mine.median("cpu")
        scale, unit = (1, "s") if workload.cpu_unit == "s" else (1e6, "us")
        limit = budget.limit * (bench.large_mib / 512 if unit == "s" else 1)
        return found <= limit, f"CPU {show_number(found * scale)} {unit} (at most {show_number(limit * scale)})"
    if budget.kind == "p99_us":
        found = mine.median("p99_us")
        return found <= budget.limit, f"p99 {found / 1000:.3g} ms (at most {budget.limit / 1000:g})"
    found = mine.median()
    return found <= budget.limit, f"{show_number(found)} {workload.unit} (at most {budget.limit:g})"


def budget_lines(bench, workload, results, subject):
    words = []
    for budget in workload.budgets:
        if budget.subject == subject:
            met, text = judge(bench, workload, results, budget)
            if text:
                words.append(("- " if met is None else "✓ " if met else "✗ ") + text)
    judged = {b.peer for b in workload.budgets if b.kind == "ratio" and b.subject == subject}
    for peer in PEERS:
        found = ratio(workload, results, subject, peer)
        if found is not None and peer not in judged:
            words.append(f"  {show_number(found)} times {peer}")
    return words


def print_cells(title, cells):
    print(f"{title:50.50} " + " ".join(f"{cell:>20}" for cell in cells).rstrip())


def print_rows(bench, workload, results):
    subjects = [key for key in workload.servers if key.startswith("drydock")]
    title = workload.title.format(large=bench.large_mib)
    for subject in subjects:
        name = title
        if len(subjects) > 1:
            name += SUBJECTS[subject]
        print_cells(name, [show_value(workload, results.get(key)) for key in (subject, *bench.columns)])
        words = budget_lines(bench, workload, results, subject)
        if words:
            print("    " + "   ".join(words))
    sys.stdout.flush()
    for key, measured in results.items():
        if measured.failure:
            print(f"    FAILED on {key}: {measured.failure}")
        if measured.errors:
            print(f"    {measured.errors} operations FAILED on {key}")
        if measured.retries:
            print(f"    {measured.retries} requests were sent again to {key}, which had closed the connection")


def print_peaks(bench, peaks):
    subjects = [key for key in ("drydock", "drydock-ephemeral") if peaks.get(key)] or ["drydock"]
    for subject in subjects:
        print_cells("peak memory in any workload" + (", durable" if subject == "drydock" else ", ephemeral"),
                    [f"{peaks[key]:.1f} MiB" if peaks.get(key) else "" for key in (subject, *bench.columns)])
        if peaks.get(subject):
            print(f"    {'✓' if peaks[subject] <= PEAK_MIB else '✗'} {peaks[subject]:.1f} MiB (at most {PEAK_MIB})")


# ---- the program ----

def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 short rounds: for a look, not for a judgement")
    parser.add_argument("--full", action="store_true",
                        help="also 100,000 images and tags, and the API by 1 and 64 clients")
    parser.add_argument("--rounds", type=int, help="rounds of each workload (5, quick: 3)")
    parser.add_argument("--seconds", type=float, help="length of a timed run (3, quick: 1)")
    parser.add_argument("--large", type=int, default=512, metavar="MIB", help="size of the large layer (512)")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this workload (a pattern; may be repeated)")
    parser.add_argument("--peers", default="all", metavar="LIST",
                        help="all, none, or names with commas: " + ", ".join(PEERS))
    parser.add_argument("--no-drydock", action="store_true", help="the peers alone")
    parser.add_argument("--drydock-args", default="", help="further options for drydock serve")
    parser.add_argument("--dir", default=tempfile.gettempdir(), help="where the data folders go (%(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write everything measured there too")
    parser.add_argument("--list", action="store_true", help="name the workloads and stop")
    return parser.parse_args()


def choose_servers(options):
    """{key: version} of what can be measured; says why for the rest."""
    wanted = [] if options.no_drydock else ["drydock", "drydock-ephemeral", "drydock-iam"]
    peers = {"all": PEERS, "none": ()}.get(options.peers) or [p for p in options.peers.split(",") if p and p != "none"]
    for peer in peers:
        if peer not in PEERS:
            sys.exit(f"bench: there is no peer {peer}; choose from {', '.join(PEERS)}")
    found = {}
    for key in [*wanted, *peers]:
        try:
            found[key] = SERVERS[key].check()
        except Unavailable as reason:
            if key == "drydock":
                print(f"drydock is not measured: {reason}")
            elif key in PEERS:
                print(f"{key} is skipped: {reason}")
    return found


def choose_workloads(options, servers):
    patterns = options.only or ["*"]
    chosen = [w for w in WORKLOADS if any(fnmatch.fnmatch(w.name, p) for p in patterns)]
    if not chosen:
        sys.exit("bench: no such workload; they are " + ", ".join(w.name for w in WORKLOADS))
    chosen = [w for w in chosen if options.full or options.only or not w.full]
    return [w for w in chosen if any(key in servers for key in w.servers)]


def print_head(bench, servers):
    print(f"Drydock's benchmark: medians of {bench.rounds} rounds; {os.cpu_count()} CPUs, "
          f"load {os.getloadavg()[0]:.1f}, Linux {platform.release()}")
    print("measured: " + ", ".join(f"{key} {version}".strip() for key, version in servers.items()))
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(bench.folder)], capture_output=True, text=True)
    if kind.stdout.strip() == "tmpfs":
        print(f"note: {bench.folder} is kept in memory, where flushing costs nothing; --dir names another folder")
    print("in brackets: the server's CPU time for one operation. ✓ and ✗: budgets, report only\n")
    print_cells("", ["drydock", *bench.columns])


def measured_json(m):
    return {"median": m.median(), "cpu_seconds_per_op": m.median("cpu"), "p50_us": m.median("p50_us"),
            "p99_us": m.median("p99_us"), "peak_mib": m.peak_mib, "errors": m.errors, "retries": m.retries,
            "failure": m.failure, "samples": [vars(s) for s in m.samples]}


def as_json(bench, servers, results):
    return {
        "rounds": bench.rounds, "seconds": bench.seconds, "large_mib": bench.large_mib,
        "cpus": os.cpu_count(), "kernel": platform.release(), "servers": servers,
        "workloads": [{
            "name": w.name, "title": w.title.format(large=bench.large_mib), "unit": w.unit,
            "servers": {key: measured_json(m) for key, m in found.items()},
            "budgets": [{**vars(b), **dict(zip(("met", "words"), judge(bench, w, found, b)))} for b in w.budgets],
        } for w, found in results],
    }


def run(options, folder):
    bench = Bench(options, folder)
    if not os.access(bench.generator, os.X_OK):
        sys.exit(f"bench: the load generator {bench.generator} is not there: make build, or set DRYDOCK_LOAD")
    Drydock.extra = options.drydock_args.split()
    servers = choose_servers(options)
    workloads = choose_workloads(options, servers)
    if not workloads:
        sys.exit("bench: nothing to measure")
    bench.columns = [key for key in PEERS if key in servers]
    print_head(bench, servers)
    results, peaks = [], {}
    for done, workload in enumerate(workloads):
        keys = [key for key in workload.servers if key in servers]
        found = measure(bench, workload, keys, done, len(workloads))
        results.append((workload, found))
        print_rows(bench, workload, found)
        for key, measured in found.items():
            peaks[key] = max(peaks.get(key, 0), measured.peak_mib)
    print_peaks(bench, peaks)
    if options.json:
        Path(options.json).write_text(json.dumps(as_json(bench, servers, results), indent=1) + "\n")
    return 1 if any(m.errors or m.failure for _, found in results for m in found.values()) else 0


def main():
    options = parse_options()
    if options.list:
        for workload in WORKLOADS:
            more = " (--full)" if workload.full else ""
            print(f"{workload.name:24} {workload.title.format(large=options.large)}{more}")
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)   # end the servers on any stop
    folder = Path(tempfile.mkdtemp(prefix="drydock-bench-", dir=options.dir))
    try:
        return run(options, folder)
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

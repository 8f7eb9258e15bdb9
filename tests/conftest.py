"""What holds for every session of tests: it leaves nothing behind, also when it is cut short."""

import os
import shutil
import signal
import tempfile

import pytest

from support.binary import find_binary


def pytest_configure(config):
    try:
        config.drydock_program = find_binary()
    except FileNotFoundError as missing:
        raise pytest.UsageError(str(missing)) from None
    if config.option.basetemp is None:
        config.option.basetemp = config.drydock_temporary = tempfile.mkdtemp(prefix="drydock-tests-")
    # A CI system that cancels a run sends SIGTERM: stop servers and engines before going.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=143))


def pytest_unconfigure(config):
    folder = getattr(config, "drydock_temporary", None)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_report_header(config):
    return f"drydock: {config.drydock_program}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """With DRYDOCK_NO_SKIP=1 (`make test-clients`) a test that is skipped has failed."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("DRYDOCK_NO_SKIP") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped, where nothing may be skipped: {report.longrepr}"

"""The verbs that look after a data folder."""

import json
import subprocess

from .binary import clean_environment, find_binary


def run(*words):
    """What `drydock WORDS...` did; fails when a sanitizer complains."""
    result = subprocess.run(
        [find_binary(), *map(str, words)], env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=120)
    assert "Sanitizer" not in result.stderr and "runtime error" not in result.stderr, result.stderr
    return result


def run_json(*words, code=0):
    """What a verb with --json says; fails unless it ends with this exit code (None: 0 or 1)."""
    result = run(*words, "--json")
    assert result.returncode in ((0, 1) if code is None else (code,)), (result.returncode, result.stdout, result.stderr)
    return json.loads(result.stdout)

"""For what happens a moment later, on another thread of the server."""

import time


def wait_until(what, seconds=10):
    """Asks again and again until what() is something, and returns it; fails when that takes too long."""
    deadline = time.monotonic() + seconds
    while not (result := what()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)
    return result

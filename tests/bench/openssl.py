"""The unit of the bench: the CPU of one bare signature, by `openssl speed`."""

from __future__ import annotations

import re
import subprocess


def seconds_of_speed(output: str) -> float:
    """Seconds a signature, from what `openssl speed rsa2048` prints. ValueError where it isn't there."""
    found = re.search(r"^rsa\s+2048 bits\s+\S+s\s+\S+s\s+([\d.]+)\s", output, re.MULTILINE)
    if found is None or not float(found[1]):
        raise ValueError(f"openssl speed printed no signatures a second:\n{output}")
    return 1 / float(found[1])


def rsa_2048() -> float:
    """Seconds of CPU that one RSA-2048 signature takes here and now.

    Without -elapsed: then openssl divides by the CPU that it used. By the clock, a signature would seem the dearer the
    busier the machine is, and all that is compared with it the cheaper.
    """
    done = subprocess.run(["openssl", "speed", "-seconds", "1", "rsa2048"], capture_output=True, text=True, check=True)
    return seconds_of_speed(done.stdout)

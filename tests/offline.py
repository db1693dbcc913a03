"""Runs a command without a network."""

import os
import shutil
import subprocess

WITHOUT_NETWORK = ("unshare", "--net", *(() if os.geteuid() == 0 else ("--map-root-user",)))
"""Goes before a command. A user who is not root makes a user namespace for it."""


def can_cut_the_network() -> bool:
    """Whether the kernel permits it."""
    found = shutil.which(WITHOUT_NETWORK[0])
    return bool(found) and subprocess.run([*WITHOUT_NETWORK, "true"], check=False).returncode == 0

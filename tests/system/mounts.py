# SPDX-License-Identifier: MIT
"""Programs with mounts of their own, which nobody else sees."""
import os
import subprocess


def command(script, *args):
    """The command line of a shell script, which may mount what it likes."""
    user = ['-r'] if os.geteuid() != 0 else []
    return ['unshare', '-m', *user, 'sh', '-ec', script, 'sh',
            *map(str, args)]


def run(script, *args):
    return subprocess.run(command(script, *args), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)

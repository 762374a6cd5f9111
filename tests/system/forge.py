# SPDX-License-Identifier: MIT
"""What only somebody with the data directory's key can write: states and
records that say something else, under a right HMAC."""
import hashlib
import hmac
import re
import time


def _sign(key, label, message):
    sub_key = hmac.new(key, label, hashlib.sha256).digest()
    return hmac.new(sub_key, message, hashlib.sha256).hexdigest()


def change(vault, path, **numbers):
    """Set numbers in a signed file of the data directory."""
    text = path.read_bytes()
    text = text[:text.rindex(b'"hmac": "')]
    for name, number in numbers.items():
        text, count = re.subn(rb'("%s": *)-?\d+' % name.encode(),
                              rb'\g<1>%d' % number, text)
        assert count == 1, (path, name)
    digest = _sign((vault.data / 'key').read_bytes(), b'stepvault state',
                   text)
    path.write_bytes(text + b'"hmac": "%s"\n}\n' % digest.encode())


def age_step(vault, backup_id, seconds):
    """The last step of an unfinished backup ended so long ago."""
    change(vault, vault.data / 'jobs' / backup_id / 'state.json',
           last_step=int(time.time()) - seconds)


def age_backup(vault, backup_id, started=None, ended=None):
    """A backup began, and ended, so many seconds ago."""
    ages = {'started': started, 'ended': ended}
    change(vault, vault.data / 'backups' / backup_id / 'record.json',
           **{name: int(time.time()) - age
              for name, age in ages.items() if age is not None})

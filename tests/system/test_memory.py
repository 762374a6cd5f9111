# SPDX-License-Identifier: MIT
"""The n-th allocation of a step fails."""
import faults
from test_fault import Subject


def test_every_allocation_of_a_step(tmp_path):
    subject = Subject(tmp_path, files=3, size=2000, step='max = 10s')

    def environment(number):
        # From the first file of a job on: before that it is OpenSSL that is
        # set up, which does not survive it, and no backup.
        return faults.environment(
            tmp_path / f'malloc-{number}' / 'data' / 'jobs', malloc=number)

    jobs = tmp_path / 'counted' / 'data' / 'jobs'
    # There are more than ten thousand.
    subject.everywhere('malloc', environment,
                       subject.calls('malloc', [jobs]),
                       stride=faults.stride(11), may_abort=True)

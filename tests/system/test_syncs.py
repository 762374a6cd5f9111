# SPDX-License-Identifier: MIT
"""That test_powerloss can fail, and that no sync is idle."""
from test_powerloss import Recording, first_problem, place_of


def test_every_sync_is_needed(tmp_path):
    """Without any one of the code's syncs there is an instant at which a
    power cut does harm."""
    recording = Recording(tmp_path)
    places = {}
    for event in recording.events[recording.first:]:
        if event.op == 'sync':
            places.setdefault(place_of(event), event)
    lines = {line: [] for line, _ in places}
    assert len(lines) >= 8
    for place in places:
        problem, count = first_problem(recording, place)
        print(f'{place[0]} {place[1]}: {problem} ({count} images)')
        if problem is not None:
            lines[place[0]].append(problem)
    # The same line may sync several files, and need not for each of them.
    assert [line for line, problems in lines.items() if not problems] == []

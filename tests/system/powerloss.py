# SPDX-License-Identifier: MIT
"""What a disk may hold after a power cut.

A recording (tests/faultfs, FAULTFS_LOG) is played into a model of a disk that
promises no more than POSIX does: a file's bytes and length are there once the
file was synced after them, a name is there or gone once its directory was
synced after that.  Of everything else, any part may be there.
"""
import os


class Event:
    def __init__(self, line, data):
        op, inode, offset, length, callers, paths = line.split(b' ', 5)
        self.op = op.decode()
        self.inode = int(inode)
        self.offset = int(offset)
        self.callers = callers.decode().split(',')
        self.path, _, self.second = os.fsdecode(paths).partition('\t')
        self.data = data

    def __repr__(self):
        return f'{self.op} {self.path} {self.second}'


def read_log(path):
    events = []
    with open(path, 'rb') as file:
        content = file.read()
    at = 0
    while at < len(content):
        end = content.index(b'\n', at)
        line = content[at:end]
        at = end + 1
        data = None
        if line.startswith(b'write '):
            length = int(line.split(b' ', 4)[3])
            data = content[at:at + length]
            at += length
        events.append(Event(line, data))
    return events


class File:
    def __init__(self):
        self.durable = b''
        self.pending = []  # writes and truncations since the last sync


class Folder:
    def __init__(self):
        self.durable = {}
        self.pending = []  # changes to names since the last sync


class Change:
    """Something unsynced: of a file's bytes, or of a folder's names."""

    def __init__(self, owner, kind, *args):
        self.owner = owner
        self.kind = kind
        self.args = args

    def apply(self, state):
        """state: the owner's durable bytes, or its names."""
        if self.kind == 'write':
            offset, data = self.args
            state = state.ljust(offset, b'\0')
            return state[:offset] + data + state[offset + len(data):]
        if self.kind == 'truncate':
            return state[:self.args[0]].ljust(self.args[0], b'\0')
        state = dict(state)
        if self.kind in ('remove', 'rename'):
            state.pop(self.args[0], None)
        if self.kind == 'rename':
            state[self.args[1]] = self.args[2]
        if self.kind == 'add':
            state[self.args[0]] = self.args[1]
        return state


class Disk:
    def __init__(self, root):
        self.root = root
        self.live = {root: Folder()}  # path -> File or Folder, as seen
        self.inodes = {}
        self.version = 0  # of what is durable

    def folder_of(self, path):
        return self.live[os.path.dirname(path)]

    def _change_name(self, folder, kind, *args):
        folder.pending.append(Change(folder, kind, *args))
        return folder.pending[-1]

    def play(self, event):
        """Returns the changes that are now pending because of it."""
        name = os.path.basename(event.path)
        if event.op == 'create':
            file = self.inodes[event.inode] = File()
            self.live[event.path] = file
            return [self._change_name(self.folder_of(event.path), 'add',
                                      name, file)]
        if event.op == 'mkdir':
            folder = self.live[event.path] = Folder()
            return [self._change_name(self.folder_of(event.path), 'add',
                                      name, folder)]
        if event.op in ('write', 'truncate'):
            file = self.inodes[event.inode]
            args = ((event.offset, event.data) if event.op == 'write'
                    else (event.offset,))
            file.pending.append(Change(file, event.op, *args))
            return [file.pending[-1]]
        if event.op == 'remove':
            self.live.pop(event.path)
            return [self._change_name(self.folder_of(event.path), 'remove',
                                      name)]
        if event.op == 'link':
            file = self.live[event.second] = self.live[event.path]
            return [self._change_name(self.folder_of(event.second), 'add',
                                      os.path.basename(event.second), file)]
        if event.op == 'rename':
            file = self.live[event.second] = self.live.pop(event.path)
            source, target = (self.folder_of(event.path),
                              self.folder_of(event.second))
            second = os.path.basename(event.second)
            if source is target:
                return [self._change_name(source, 'rename', name, second,
                                          file)]
            return [self._change_name(target, 'add', second, file),
                    self._change_name(source, 'remove', name)]
        assert event.op == 'sync', event
        owner = self.live.get(event.path)
        if not isinstance(owner, Folder):
            owner = self.inodes[event.inode]
        if owner.pending:
            self.version += 1
        for change in owner.pending:
            owner.durable = change.apply(owner.durable)
        owner.pending = []
        return []

    def pending(self):
        """All that is not durable, of whatever can be reached."""
        seen, result = set(), []
        for owner in list(self.live.values()) + list(self.inodes.values()):
            if id(owner) not in seen:
                seen.add(id(owner))
                result += owner.pending
        return result

    def rebuild(self, target, kept=None):
        """Make the folder target what the disk holds, with one pending
        change besides."""
        def state(owner):
            if kept is not None and kept.owner is owner:
                return kept.apply(owner.durable)
            return owner.durable

        def put(owner, path):
            if isinstance(owner, File):
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
                os.write(descriptor, state(owner))
                os.close(descriptor)
                return
            os.makedirs(path, mode=0o700, exist_ok=True)
            for name, child in state(owner).items():
                put(child, os.path.join(path, name))

        put(self.live[self.root], target)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make a deterministic tree of files to measure with.

usage: gen_tree.py site DEST [SEED]     a web site: 20,000 files, 1 GiB, of
                                        which 60 % do not compress
       gen_tree.py small DEST [COUNT]   COUNT (1,000,000) small text files,
                                        100 to a folder, 1.4 KB in the mean
"""
import hashlib
import itertools
import os
import random
import sys

MIB = 1024 * 1024
SYNTAX = [
    'function ', 'public static ', 'return $this->', 'array(', 'if (',
    'foreach (', '; ', ') {\n\t', '}\n\n', '/** \n * @param ', ' * @return ',
    '<div class="', '</div>\n', '<span>', '</span>', 'echo esc_html( ',
    '$wpdb->prepare( ', 'self::', 'new ', '\n\t\t', "'", '"', ' = ', ' => ',
    ', ', '.']
MAGIC = {'jpg': b'\xff\xd8\xff\xe0', 'png': b'\x89PNG\r\n\x1a\n',
         'pdf': b'%PDF-1.7\n', 'zip': b'PK\x03\x04'}


class Text:
    """Program-like text that compresses about three to one."""

    def __init__(self, rand, size=24 * MIB):
        self.rand = rand
        self.pool = self._make_pool(size)

    def _make_pool(self, size):
        rand = self.rand
        words = [''.join(rand.choice('etaoinshrdlucmfwypvbgk')
                         for _ in range(rand.randint(2, 11)))
                 for _ in range(6000)]
        weights = list(itertools.accumulate(
            1 / (i + 1) for i in range(len(words))))
        out, length = [], 0
        while length < size:
            for word in rand.choices(words, cum_weights=weights, k=400):
                after = ' '
                if rand.random() < 0.35:
                    after = rand.choice(SYNTAX)
                elif rand.random() < 0.05:
                    after = hashlib.md5(
                        word.encode() + bytes([rand.randrange(256)])
                    ).hexdigest()
                out += (word, after)
                length += len(word) + len(after)
        return ''.join(out)[:size].encode()

    def take(self, size):
        rand, out = self.rand, bytearray()
        while len(out) < size:
            at = rand.randrange(len(self.pool) - 4096)
            out += self.pool[at:at + rand.randint(64, 1024)]
            out += b'%x\n' % rand.getrandbits(40)
        return bytes(out[:size])


def put(rand, path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(content)
    # Whole seconds, as unpacked releases and most uploads have.
    when = 1700000000 + rand.randrange(20000000)
    os.utime(path, (when, when))


def split(rand, total, count, mu, sigma, cap):
    sizes = [min(cap, rand.lognormvariate(mu, sigma)) for _ in range(count)]
    scale = total / sum(sizes)
    return [max(1, int(size * scale)) for size in sizes]


def make_site(dest, seed):
    rand = random.Random(seed)
    total, media_count, text_count = 1024 * MIB, 5000, 15000
    media = int(total * 0.60)
    text = Text(rand)
    big = [48 * MIB] * 2
    media_sizes = split(rand, media - sum(big), media_count - len(big), 11,
                        1.0, 4e6) + big
    text_sizes = split(rand, total - media, text_count, 9.3, 1.2, 2e6)
    for i, size in enumerate(media_sizes):
        kind = rand.choice(['jpg', 'png', 'webp', 'mp4', 'pdf', 'woff2', 'zip'])
        content = MAGIC.get(kind, b'RIFF') + rand.randbytes(size)
        put(rand, f'{dest}/wp-content/uploads/{2018 + i % 7}/{1 + i % 12:02d}'
                  f'/img-{i:05d}.{kind}', content[:size])
    folders = ['wp-includes', 'wp-admin'] + [
        f'wp-content/plugins/plugin-{k}/{sub}' for k in range(30)
        for sub in ('src', 'inc', 'assets/js', 'lang')] + [
        f'wp-content/themes/t{k}' for k in range(4)]
    for i, size in enumerate(text_sizes):
        kind = rand.choice(['php', 'php', 'php', 'js', 'css', 'html', 'json',
                            'po', 'svg', 'txt'])
        content = text.take(size)
        put(rand, f'{dest}/{rand.choice(folders)}/d{i % 10}/f{i:05d}.{kind}',
            content)
    print('bytes', sum(media_sizes) + sum(text_sizes),
          'files', media_count + text_count)


def make_small(dest, count):
    rand = random.Random(7)
    text = Text(rand)
    total = 0
    for i in range(count):
        size = max(1, min(16384, int(rand.lognormvariate(6.9, 0.8))))
        total += size
        put(rand, f'{dest}/{i // 10000:03d}/{i // 100 % 100:02d}/f{i:07d}.php',
            text.take(size))
    print('bytes', total, 'files', count)


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ('site', 'small'):
        sys.exit(__doc__)
    number = int(sys.argv[3]) if len(sys.argv) > 3 else None
    if sys.argv[1] == 'site':
        make_site(sys.argv[2], 42 if number is None else number)
    else:
        make_small(sys.argv[2], 1000000 if number is None else number)


if __name__ == '__main__':
    main()

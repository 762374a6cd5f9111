/* SPDX-License-Identifier: MIT */
#include "store/profile.h"

#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

void
profile_close(struct profile *profile)
{
	for (int i = 0; i < profile->extras.count; i++) {
		free(profile->extras.items[i].name);
		free(profile->extras.items[i].path);
	}
	free(profile->extras.items);
	for (int i = 0; i < profile->excludes.count; i++)
		free(profile->excludes.items[i]);
	free(profile->excludes.items);
	free(profile->name);
	free(profile->site);
	free(profile->on_complete);
	memset(profile, 0, sizeof(*profile));
}

const char *
profile_suffix(const struct profile *profile)
{
	switch (profile->compression.codec) {
	case CODEC_NONE:
		return ".tar";
	case CODEC_GZIP:
		return ".tar.gz";
	case CODEC_XZ:
		return ".tar.xz";
	case CODEC_ZSTD:
		return ".tar.zst";
	}
	abort();
}

/* With the NUL: so that "a" "bc" and "ab" "c" differ. */
static void
add_text(struct strbuf *all, const char *text)
{
	strbuf_add(all, text, strlen(text) + 1);
}

void
profile_fingerprint(const struct profile *profile, uint8_t out[TOKEN_HASH_SIZE])
{
	struct strbuf all = STRBUF_EMPTY;

	add_text(&all, profile->site);
	strbuf_addf(&all, "%d extras ", profile->extras.count);
	for (int i = 0; i < profile->extras.count; i++) {
		add_text(&all, profile->extras.items[i].name);
		add_text(&all, profile->extras.items[i].path);
	}
	strbuf_addf(&all, "%d excludes ", profile->excludes.count);
	for (int i = 0; i < profile->excludes.count; i++)
		add_text(&all, profile->excludes.items[i]);
	strbuf_addf(&all, "%d %d %d %d %lld", profile->default_excludes,
	    profile->one_file_system, (int)profile->compression.codec,
	    profile->compression.level, (long long)profile->part_size);
	token_hash(all.bytes, all.length, out);
	strbuf_close(&all);
}

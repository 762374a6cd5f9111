/* SPDX-License-Identifier: MIT */
#include "pack/manifest.h"

#include "base/strbuf.h"
#include "pack/digest.h"
#include "store/fields.h"

#include <string.h>

static void
add_text(struct strbuf *line, const char *key, const char *text)
{
	strbuf_addstr(line, key);
	fields_add_text(line, text, strlen(text));
}

static void
add_number(struct strbuf *line, const char *key, int64_t number)
{
	strbuf_addstr(line, key);
	strbuf_add_number(line, number);
}

static void
add_mode(struct strbuf *line, int64_t mode)
{
	strbuf_addstr(line, ",\"mode\":\"");
	for (int shift = 9; shift >= 0; shift -= 3)
		strbuf_addc(line, (char)('0' + (mode >> shift & 7)));
	strbuf_addc(line, '"');
}

static void
add_holes(struct strbuf *line, const int64_t (*holes)[2], size_t count)
{
	strbuf_addstr(line, ",\"holes\":[");
	for (size_t i = 0; i < count; i++) {
		add_number(line, i > 0 ? ",[" : "[", holes[i][0]);
		add_number(line, ",", holes[i][1]);
		strbuf_addc(line, ']');
	}
	strbuf_addc(line, ']');
}

void
manifest_add(struct strbuf *line, const struct manifest_entry *entry)
{
	add_text(line, "{\"path\":", entry->path);
	strbuf_addstr(line, ",\"type\":\"");
	strbuf_addstr(line, entry->type);
	strbuf_addc(line, '"');
	add_mode(line, entry->mode);
	add_number(line, ",\"mtime\":", entry->mtime_s);
	if (entry->mtime_ns != 0)
		add_number(line, ",\"mtime_ns\":", entry->mtime_ns);
	if (entry->size >= 0)
		add_number(line, ",\"size\":", entry->size);
	if (entry->changed)
		strbuf_addstr(line, ",\"changed\":true");
	if (entry->target != NULL)
		add_text(line, ",\"target\":", entry->target);
	if (entry->hole_count > 0)
		add_holes(line, entry->holes, entry->hole_count);
	strbuf_addc(line, '}');
}

/* As sha256sum does it since coreutils 9: true if there was anything to do. */
static bool
add_escaped(struct strbuf *line, const char *path)
{
	static const char special[] = "\n\r\\", letters[] = "nr\\";
	bool escaped = false;

	for (;;) {
		size_t plain = strcspn(path, special);

		strbuf_add(line, path, plain);
		if (path[plain] == '\0')
			return escaped;
		strbuf_addc(line, '\\');
		strbuf_addc(
		    line, letters[strchr(special, path[plain]) - special]);
		path += plain + 1;
		escaped = true;
	}
}

void
manifest_add_sum(struct strbuf *line, const uint8_t *hash, const char *path)
{
	size_t start = line->length;

	/* A leading backslash says that the name is escaped. */
	strbuf_addc(line, '\\');
	strbuf_add_hex(line, hash, DIGEST_SIZE);
	strbuf_addstr(line, "  ");
	if (add_escaped(line, path))
		return;
	memmove(line->bytes + start, line->bytes + start + 1,
	    line->length - start - 1);
	strbuf_cut(line, line->length - 1);
}

/* SPDX-License-Identifier: MIT */
#include "pack/packer.h"

#include "base/fault.h"
#include "store/profile.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct packer {
	struct archive *archive;
	packer_sink *sink;
	void *context;
	bool discard; /* closing it must not write any more */
};

static la_ssize_t
write_packed(
    struct archive *archive, void *user, const void *bytes, size_t length)
{
	struct packer *packer = user;

	if (!packer->discard &&
	    packer->sink(packer->context, bytes, length) != 0) {
		archive_set_error(
		    archive, EIO, "the packed bytes cannot go on");
		return -1;
	}
	return (la_ssize_t)length;
}

static int
add_filter(struct archive *archive, const struct compression *compression)
{
	char level[16];
	const char *filter = NULL;
	int result = ARCHIVE_OK;

	switch (compression->codec) {
	case CODEC_NONE:
		return archive_write_add_filter_none(archive);
	case CODEC_GZIP:
		filter = "gzip";
		result = archive_write_add_filter_gzip(archive);
		break;
	case CODEC_XZ:
		filter = "xz";
		result = archive_write_add_filter_xz(archive);
		break;
	case CODEC_ZSTD:
		filter = "zstd";
		result = archive_write_add_filter_zstd(archive);
		break;
	}
	if (result != ARCHIVE_OK)
		return result;
	snprintf(level, sizeof(level), "%d", compression->level);
	return archive_write_set_filter_option(
	    archive, filter, "compression-level", level);
}

/* The raw format wants an entry around its bytes. */
static int
begin_entry(struct archive *archive)
{
	struct archive_entry *entry = archive_entry_new();
	int result;

	if (entry == NULL)
		return ARCHIVE_FATAL;
	archive_entry_set_filetype(entry, AE_IFREG);
	result = archive_write_header(archive, entry);
	archive_entry_free(entry);
	return result;
}

static int
failed(struct packer *packer, struct fault *fault)
{
	const char *why = archive_error_string(packer->archive);

	return fault_set(fault, FAULT_RETRY, "the archive cannot be packed: %s",
	    why != NULL ? why : "no memory");
}

int
packer_open(struct packer **out, const struct compression *compression,
    packer_sink *sink, void *context, struct fault *fault)
{
	struct packer *packer = calloc(1, sizeof(*packer));

	*out = NULL;
	if (packer == NULL)
		abort();
	packer->sink = sink;
	packer->context = context;
	packer->archive = archive_write_new();
	if (packer->archive == NULL)
		abort();
	if (archive_write_set_format_raw(packer->archive) != ARCHIVE_OK ||
	    add_filter(packer->archive, compression) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(packer->archive, 0) !=
		ARCHIVE_OK ||
	    archive_write_open(packer->archive, packer, NULL, write_packed,
		NULL) != ARCHIVE_OK ||
	    begin_entry(packer->archive) != ARCHIVE_OK) {
		failed(packer, fault);
		packer_free(packer);
		return -1;
	}
	*out = packer;
	return 0;
}

int
packer_add(struct packer *packer, const void *bytes, size_t length,
    struct fault *fault)
{
	const char *from = bytes;

	while (length > 0) {
		la_ssize_t taken =
		    archive_write_data(packer->archive, from, length);

		if (taken <= 0)
			return failed(packer, fault);
		from += taken;
		length -= (size_t)taken;
	}
	return 0;
}

int
packer_finish(struct packer *packer, struct fault *fault)
{
	int result = 0;

	if (archive_write_close(packer->archive) != ARCHIVE_OK)
		result = failed(packer, fault);
	packer_free(packer);
	return result;
}

void
packer_free(struct packer *packer)
{
	if (packer == NULL)
		return;
	packer->discard = true;
	archive_write_free(packer->archive);
	free(packer);
}

/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_PACK_PACKER_H
#define ENGINE_PACK_PACKER_H

#include <stddef.h>

struct compression;
struct fault;
struct packer;

/*
 * Compresses bytes into one self-contained piece: a zstd frame (RFC 8878), a
 * gzip member (RFC 1952), an xz stream, or the bytes as they are.  Such pieces
 * one after another are a valid file of their kind.  This is libarchive's raw
 * format with one filter.
 */

/* Takes packed bytes.  Returns 0, or -1 to make the packer fail. */
typedef int packer_sink(void *context, const void *bytes, size_t length);

/*
 * Begin a piece whose bytes go to sink with context.  Returns 0 or -1; free
 * with packer_finish or packer_free.
 */
int packer_open(struct packer **out, const struct compression *compression,
    packer_sink *sink, void *context, struct fault *fault);

/* Compress bytes.  Returns 0 or -1. */
int packer_add(struct packer *packer, const void *bytes, size_t length,
    struct fault *fault);

/* End the piece: the last of it goes to the sink.  Frees it.  0 or -1. */
int packer_finish(struct packer *packer, struct fault *fault);

/* Free a piece that is not wanted any more; NULL is accepted. */
void packer_free(struct packer *packer);

#endif

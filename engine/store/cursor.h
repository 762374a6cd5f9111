/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_CURSOR_H
#define ENGINE_STORE_CURSOR_H

#include "store/spool.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Where each phase is: plain values, copied into and out of the state.  Bool
 * and int64_t only; offsets are into spools.
 */

/* A saved SHA-256; see pack/digest.h. */
#define CURSOR_DIGEST_SIZE 112

/*
 * Where in an object of a database its dump is.  The key is the last row's, its
 * columns as hexadecimal with commas between.
 */
#define CURSOR_KEY_SIZE (16 * 1024)

struct dump_place {
	int64_t rows;       /* read of it so far */
	char structure[65]; /* hash of what the object was when it was begun */
	char key[CURSOR_KEY_SIZE];
};

/* The archive and its spools at a checkpoint to which a phase can go back. */
struct archive_mark {
	int64_t volume;
	struct extent manifest;
	struct extent sums;
	struct extent frames;
	struct extent warnings;
	struct extent objects;
	int64_t warned; /* counts.warnings */
};

#define DUMP_TOKEN_SIZE  33
#define DUMP_SERVER_SIZE 128
#define DUMP_WHERE_SIZE  65

struct dump_cursor {
	int64_t database;          /* index in the profile of the one at hand */
	int64_t count;             /* of databases in the profile */
	int64_t stage;             /* enum in run/phase_dump.c */
	struct archive_mark begin; /* of the database */
	int64_t object;            /* line of the object at hand */
	struct dump_place place;   /* in it */
	/* the snapshot that the companion holds; "": none */
	char token[DUMP_TOKEN_SIZE];
	char server[DUMP_SERVER_SIZE];
	char where[DUMP_WHERE_SIZE]; /* hash of which database it is */
	bool per_chunk;              /* goes on without a snapshot */
	bool lone;                   /* no companion can be had */
	int64_t restarts;            /* of the database */
	int64_t held;       /* times that an object was begun in one go */
	int64_t waits;      /* since when nothing comes; 0: it does */
	int64_t unanswered; /* calls of the companion in a row */
	/* of the database so far */
	int64_t started;
	int64_t members;
	int64_t tables;
	int64_t rows;
	int64_t bytes;
	int64_t expected; /* bytes, by the server's estimates */
	/* of all databases */
	int64_t done;
};

struct walk_cursor {
	int64_t root;     /* index of the root at hand */
	int64_t folder;   /* line of the folder at hand; -1: root not begun */
	int64_t position; /* directory offset to read on at; -1: all read */
	int64_t scan;     /* line from which to look for a folder to enter */
	bool has_folders; /* there may be one */
	/* the folder as its reading began, to go back to */
	int64_t changed_s;
	int64_t changed_ns;
	struct extent catalog_begin;
	int64_t entries_begin;
	int64_t linked_begin;
	int64_t bytes_begin;
	int64_t again; /* how often it was, because the folder changed */
	/* found so far */
	int64_t entries;
	int64_t linked; /* those that have other names too */
	int64_t bytes;
};

struct pack_cursor {
	int64_t catalog; /* next line */
	int64_t folder;  /* line of the folder at hand */
	/* the file that is packed in pieces */
	bool in_file;
	int64_t entry;  /* its line */
	int64_t size;   /* as its header says */
	int64_t done;   /* bytes packed */
	int64_t device; /* what it was when its header was written */
	int64_t inode;
	int64_t mode;
	int64_t mtime_s;
	int64_t mtime_ns;
	bool changed; /* it was not the same all the time */
	uint8_t digest[CURSOR_DIGEST_SIZE];
};

struct finish_cursor {
	int64_t member; /* which of the last members */
	int64_t spool;  /* next line of its spool */
	int64_t done;   /* bytes of it packed */
	int64_t crc;    /* of the seek table so far */
	uint8_t digest[CURSOR_DIGEST_SIZE];
};

#endif

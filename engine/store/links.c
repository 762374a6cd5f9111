/* SPDX-License-Identifier: MIT */
#include "store/links.h"

#include "base/crc32c.h"
#include "base/fault.h"
#include "base/fsio.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "links"

/* The disk writes whole pages. */
#define PAGE_BYTES 4096

/* Of this machine's byte order: no other ever reads it.  Empty is all zero. */
struct slot {
	int64_t inode;
	int64_t entry; /* 0: the slot is empty */
	int64_t folder;
	uint32_t device; /* to the kernel, too, it has 32 bits */
	uint32_t crc;    /* of all before it */
};

_Static_assert(sizeof(struct slot) == 32, "slots never cross a sector");

/* At most half full. */
static int64_t
slots_for(int64_t count)
{
	return 2 * count + 16;
}

int
links_make(struct links *links, int dirfd, int64_t count, struct fault *fault)
{
	links->slots = slots_for(count);
	links->unsynced = PAGE_BYTES;
	links->made = true;
	links->fd = fsio_create(dirfd, FILE_NAME, 0);
	if (links->fd < 0 || fsio_truncate(links->fd, 0) != 0 ||
	    fsio_truncate(
		links->fd, links->slots * (int64_t)sizeof(struct slot)) != 0)
		return fault_errno(fault, "the file 'links' cannot be made");
	return 0;
}

int
links_open(struct links *links, int dirfd, int64_t count, struct fault *fault)
{
	struct stat st;

	links->slots = slots_for(count);
	links->unsynced = 0;
	links->fd = fsio_open_both(dirfd, FILE_NAME);
	if (links->fd < 0 && errno == ENOENT)
		return fault_set(
		    fault, FAULT_CORRUPT, "the file 'links' is missing");
	if (links->fd < 0 || fstat(links->fd, &st) != 0)
		return fault_errno(fault, "the file 'links' cannot be opened");
	if (st.st_size != links->slots * (int64_t)sizeof(struct slot))
		return fault_set(fault, FAULT_CORRUPT,
		    "the file 'links' is not as long as it was made");
	return 0;
}

void
links_close(struct links *links)
{
	if (links->fd >= 0)
		close(links->fd);
	*links = (struct links)LINKS_CLOSED;
}

static int64_t
first_slot(const struct links *links, const struct link_place *place)
{
	uint64_t mix = (uint64_t)place->inode * UINT64_C(0x9e3779b97f4a7c15);

	mix ^= (uint64_t)place->device * UINT64_C(0xc2b2ae3d27d4eb4f);
	mix ^= mix >> 32;
	mix *= UINT64_C(0xd6e8feb86659fd93);
	mix ^= mix >> 32;
	return (int64_t)(mix % (uint64_t)links->slots);
}

static uint32_t
crc_of(const struct slot *slot)
{
	return crc32c(0, slot, offsetof(struct slot, crc));
}

static int
read_slot(
    struct links *links, int64_t at, struct slot *slot, struct fault *fault)
{
	static const struct slot empty;
	ssize_t got = fsio_read_at(
	    links->fd, slot, sizeof(*slot), at * (int64_t)sizeof(*slot));

	if (got < 0)
		return fault_errno(fault, "the file 'links' cannot be read");
	if (got != sizeof(*slot) || slot->entry < 0 ||
	    (memcmp(slot, &empty, sizeof(empty)) != 0 &&
		slot->crc != crc_of(slot)))
		return fault_set(
		    fault, FAULT_CORRUPT, "the file 'links' is damaged");
	return 0;
}

/* The slot of a file, or the empty one where it would be. */
static int
find_slot(struct links *links, const struct link_place *place, int64_t *at,
    struct slot *slot, struct fault *fault)
{
	*at = first_slot(links, place);
	for (int64_t tries = 0; tries < links->slots; tries++) {
		if (read_slot(links, *at, slot, fault) != 0)
			return -1;
		if (slot->entry == 0 ||
		    (slot->device == (uint32_t)place->device &&
			slot->inode == place->inode))
			return 0;
		*at = (*at + 1) % links->slots;
	}
	return fault_set(fault, FAULT_CORRUPT, "the file 'links' is full");
}

static int
write_slot(struct links *links, int64_t at, const struct link_place *place,
    struct fault *fault)
{
	struct slot slot = { .inode = place->inode,
		.entry = place->entry,
		.folder = place->folder,
		.device = (uint32_t)place->device };

	slot.crc = crc_of(&slot);
	links->unsynced += PAGE_BYTES;
	if (fsio_write_at(links->fd, &slot, sizeof(slot),
		at * (int64_t)sizeof(slot)) != 0)
		return fault_errno(fault, "the file 'links' cannot be written");
	return 0;
}

int
links_find(struct links *links, const struct link_place *place,
    struct link_place *first, struct fault *fault)
{
	struct slot slot;
	int64_t at;

	if (find_slot(links, place, &at, &slot, fault) != 0)
		return -1;
	*first = *place;
	first->entry = slot.entry;
	first->folder = slot.folder;
	return slot.entry != 0 && slot.entry < place->entry;
}

int
links_put(
    struct links *links, const struct link_place *place, struct fault *fault)
{
	struct slot slot = { 0 };
	int64_t at;

	if (find_slot(links, place, &at, &slot, fault) != 0)
		return -1;
	if (slot.entry == place->entry)
		return 0;
	return write_slot(links, at, place, fault);
}

int
links_forget(
    struct links *links, const struct link_place *place, struct fault *fault)
{
	struct link_place none = *place;
	struct slot slot = { 0 };
	int64_t at;

	if (find_slot(links, place, &at, &slot, fault) != 0)
		return -1;
	if (slot.entry == 0 || slot.entry < place->entry)
		return 0;
	/* A slot that is emptied would break the way to those behind it. */
	none.entry = INT64_MAX;
	return write_slot(links, at, &none, fault);
}

int
links_sync(struct links *links, struct fault *fault)
{
	if (links->fd < 0 || links->unsynced == 0)
		return 0;
	if (fsio_sync(links->fd) != 0)
		return fault_errno(fault, "the file 'links' cannot be synced");
	links->unsynced = 0;
	return 0;
}

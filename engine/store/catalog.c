/* SPDX-License-Identifier: MIT */
#include "store/catalog.h"

#include "base/fault.h"

#include <limits.h>
#include <string.h>

static void
add_number(struct strbuf *line, int64_t number)
{
	strbuf_addc(line, ' ');
	strbuf_add_hex_number(line, (uint64_t)number);
}

int
catalog_add(
    struct spool *catalog, struct catalog_item *item, struct fault *fault)
{
	struct strbuf line = STRBUF_EMPTY;
	int result;

	if (item->name == NULL)
		item->name = "";
	strbuf_addc(&line, item->type);
	if (item->type == 'D') {
		add_number(&line, item->parent);
		add_number(&line, item->entry);
	} else {
		add_number(&line, item->number);
	}
	if (item->type == 'D' || item->type == 'R') {
		add_number(&line, item->device);
		add_number(&line, item->inode);
	} else {
		add_number(&line, item->size);
	}
	if (item->type == 'D') {
		strbuf_addc(&line, ' ');
		strbuf_addc(&line, (char)item->mark);
		add_number(&line, item->error);
	} else {
		strbuf_addc(&line, ' ');
		strbuf_add_escaped(&line, item->name, item->name_length);
	}
	item->offset = catalog->extent.length;
	result = spool_append(catalog, line.bytes, line.length, fault);
	strbuf_close(&line);
	return result;
}

/* Take " " and a hexadecimal number off the line; 0 or -1. */
static int
take_number(char **line, int64_t *number)
{
	char *at = *line;
	uint64_t value = 0;

	if (*at++ != ' ')
		return -1;
	for (;; at++) {
		unsigned digit;

		if (*at >= '0' && *at <= '9')
			digit = (unsigned)(*at - '0');
		else if (*at >= 'a' && *at <= 'f')
			digit = (unsigned)(*at - 'a') + 10;
		else
			break;
		if (value >> 60 != 0)
			return -1;
		value = value << 4 | digit;
	}
	if (at == *line + 1)
		return -1;
	*number = (int64_t)value;
	*line = at;
	return 0;
}

/* Take " " and the name, undoing its escapes in place; 0 or -1. */
static int
take_name(char *line, struct catalog_item *item)
{
	ssize_t length;

	if (*line != ' ')
		return -1;
	length = strbuf_unescape(line + 1);
	item->name = line + 1;
	item->name_length = (size_t)length;
	return length < 0 ? -1 : 0;
}

static int
take_mark(char **line, struct catalog_item *item)
{
	int64_t number;

	if (**line != ' ' || (*line)[1] == '\0' ||
	    strchr("-Mmpve", (*line)[1]) == NULL)
		return -1;
	item->mark = (enum catalog_mark)(*line)[1];
	*line += 2;
	if (take_number(line, &number) != 0 || **line != '\0' || number < 0 ||
	    number > INT_MAX)
		return -1;
	item->error = (int)number;
	return 0;
}

static int
parse(char *line, struct catalog_item *item)
{
	item->type = *line;
	if (*line == '\0' || strchr("RDflpcbdsxeFLPCB", *line) == NULL)
		return -1;
	line++;
	item->parent = item->entry = -1;
	item->mark = CATALOG_ENTERED;
	if (item->type == 'D') {
		if (take_number(&line, &item->parent) != 0 ||
		    take_number(&line, &item->entry) != 0 ||
		    take_number(&line, &item->device) != 0 ||
		    take_number(&line, &item->inode) != 0)
			return -1;
		/* A parent stands before its folders, or the way never ends. */
		if (item->parent < 0 || item->parent >= item->offset ||
		    item->entry <= item->parent || item->entry >= item->offset)
			return -1;
		return take_mark(&line, item);
	}
	if (take_number(&line, &item->number) != 0)
		return -1;
	if (item->type == 'R' ? take_number(&line, &item->device) != 0 ||
		    take_number(&line, &item->inode) != 0
			      : take_number(&line, &item->size) != 0)
		return -1;
	return take_name(line, item);
}

int
catalog_next(
    struct spool_reader *reader, struct catalog_item *item, struct fault *fault)
{
	char *line;
	size_t length;
	int found;

	memset(item, 0, sizeof(*item));
	item->offset = reader->offset;
	found = spool_next(reader, &line, &length, fault);
	if (found <= 0)
		return found;
	if (strlen(line) != length || parse(line, item) != 0)
		return fault_set(fault, FAULT_CORRUPT,
		    "the spool 'catalog' has a line that makes no sense");
	return 1;
}

int
catalog_at(struct spool_reader *reader, int64_t offset,
    struct catalog_item *item, struct fault *fault)
{
	int found;

	spool_reader_seek(reader, offset);
	found = catalog_next(reader, item, fault);
	if (found == 0)
		return fault_set(fault, FAULT_CORRUPT,
		    "the spool 'catalog' ends before a place it refers to");
	return found < 0 ? -1 : 0;
}

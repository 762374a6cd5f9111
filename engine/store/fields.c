/* SPDX-License-Identifier: MIT */
#include "store/fields.h"

#include "base/fault.h"
#include "base/fsio.h"
#include "base/strbuf.h"
#include "store/token.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static json_t *
or_abort(json_t *json)
{
	if (json == NULL)
		abort();
	return json;
}

static void
put(json_t *object, const char *name, json_t *json)
{
	if (json_object_set_new(object, name, or_abort(json)) != 0)
		abort();
}

/* RFC 4648, section 4; malloc'd. */
static char *
encode_base64(const char *bytes, size_t length)
{
	char *encoded;

	if (length > INT32_MAX / 2)
		abort();
	encoded = malloc(4 * ((length + 2) / 3) + 1);
	if (encoded == NULL)
		abort();
	EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)bytes,
	    (int)length);
	return encoded;
}

/* jansson gives NULL for what is not UTF-8; a string has no length limit. */
static json_t *
pack_bytes(const char *bytes, size_t length)
{
	json_t *json = json_stringn(bytes, length);
	char *encoded;

	if (json != NULL)
		return json;
	encoded = encode_base64(bytes, length);
	json = or_abort(json_object());
	put(json, "b64", json_string(encoded));
	free(encoded);
	return json;
}

static json_t *
pack_numbers(const struct field *field, const char *base)
{
	const int64_t *numbers = (const int64_t *)(base + field->offset);
	int count = *(const int *)(base + field->count);
	json_t *array = or_abort(json_array());

	for (int i = 0; i < count; i++)
		if (json_array_append_new(array, json_integer(numbers[i])) != 0)
			abort();
	return array;
}

static json_t *
pack_blob(const void *bytes, size_t length)
{
	struct strbuf hex = STRBUF_EMPTY;
	json_t *json;

	strbuf_add_hex(&hex, bytes, length);
	json = json_string(strbuf_text(&hex));
	strbuf_close(&hex);
	return json;
}

static json_t *
pack_scalar(const struct field *field, const char *base)
{
	const char *at = base + field->offset;
	const char *string;

	switch (field->kind) {
	case FIELD_FLAG:
		return json_boolean(*(const bool *)at);
	case FIELD_NUMBER:
		return json_integer(*(const int64_t *)at);
	case FIELD_WORD:
		return json_string(field->words[*(const int *)at]);
	case FIELD_TEXT:
		return pack_bytes(at, strlen(at));
	case FIELD_STRING:
		string = *(char *const *)at;
		return string != NULL ? pack_bytes(string, strlen(string))
				      : json_null();
	case FIELD_BLOB:
		return pack_blob(at, field->size);
	case FIELD_NUMBERS:
		return pack_numbers(field, base);
	case FIELD_LIST:
		break;
	}
	abort();
}

static json_t *
pack_element(const struct field *fields, const char *base)
{
	json_t *object = or_abort(json_object());

	for (; fields->name != NULL; fields++)
		put(object, fields->name, pack_scalar(fields, base));
	return object;
}

static json_t *
pack_list(const struct field *field, const char *base)
{
	const char *elements = *(char *const *)(base + field->offset);
	int count = *(const int *)(base + field->count);
	json_t *array = or_abort(json_array());

	for (int i = 0; i < count; i++)
		if (json_array_append_new(array,
			pack_element(field->fields,
			    elements + (size_t)i * field->stride)) != 0)
			abort();
	return array;
}

static void
pack_fields(const struct field *fields, const void *value, json_t *object)
{
	for (; fields->name != NULL; fields++)
		put(object, fields->name,
		    fields->kind == FIELD_LIST ? pack_list(fields, value)
					       : pack_scalar(fields, value));
}

static int
dump_to_strbuf(const char *bytes, size_t length, void *out)
{
	strbuf_add(out, bytes, length);
	return 0;
}

static void
dump(const json_t *json, size_t flags, struct strbuf *out)
{
	if (json_dump_callback(json, dump_to_strbuf, out, flags) != 0)
		abort();
}

/*
 * The HMAC is of the text as it stands before it: so it can be checked before
 * anything is parsed, and what then cannot be parsed was not changed.
 */
#define HMAC_KEY    "\"hmac\": \""
#define HMAC_DIGITS ((size_t)2 * TOKEN_HASH_SIZE)
#define HMAC_TAIL   "\"\n}\n"
#define HMAC_LENGTH (sizeof(HMAC_KEY) - 1 + HMAC_DIGITS + sizeof(HMAC_TAIL) - 1)

/* Put the HMAC into the object that out ends with, from start on. */
static void
add_hmac(struct strbuf *out, size_t start, const uint8_t *key)
{
	uint8_t hmac[TOKEN_HASH_SIZE];

	while (out->bytes[out->length - 1] == '\n')
		strbuf_cut(out, out->length - 1);
	strbuf_cut(out, out->length - 1);
	while (out->bytes[out->length - 1] == '\n')
		strbuf_cut(out, out->length - 1);
	strbuf_addstr(out, ",\n");
	token_hmac(key, out->bytes + start, out->length - start, hmac);
	strbuf_addstr(out, HMAC_KEY);
	strbuf_add_hex(out, hmac, sizeof(hmac));
	strbuf_addstr(out, HMAC_TAIL);
}

/* Check the HMAC that a text ends with. */
static bool
hmac_matches(const char *text, size_t length, const uint8_t *key)
{
	uint8_t right[TOKEN_HASH_SIZE], given[TOKEN_HASH_SIZE];
	char hex[HMAC_DIGITS + 1];
	const char *at;

	if (length < HMAC_LENGTH)
		return false;
	length -= HMAC_LENGTH;
	at = text + length;
	if (memcmp(at, HMAC_KEY, sizeof(HMAC_KEY) - 1) != 0)
		return false;
	at += sizeof(HMAC_KEY) - 1;
	memcpy(hex, at, HMAC_DIGITS);
	hex[HMAC_DIGITS] = '\0';
	/* We write lower case. */
	if (memcmp(at + HMAC_DIGITS, HMAC_TAIL, sizeof(HMAC_TAIL) - 1) != 0 ||
	    strpbrk(hex, "ABCDEF") != NULL ||
	    token_parse_hex(hex, given, sizeof(given)) != 0)
		return false;
	token_hmac(key, text, length, right);
	return token_equal(right, given);
}

void
fields_write(const struct form *form, const void *value, const uint8_t *key,
    struct strbuf *out)
{
	json_t *object = or_abort(json_object());
	size_t start = out->length;

	put(object, "version", json_integer(form->version));
	pack_fields(form->fields, value, object);
	dump(object,
	    form->indent > 0 ? JSON_INDENT((size_t)form->indent) : JSON_COMPACT,
	    out);
	strbuf_addc(out, '\n');
	if (key != NULL)
		add_hmac(out, start, key);
	json_decref(object);
}

static int
wrong(struct fault *fault, const char *name, const char *what)
{
	return fault_set(fault, FAULT_CORRUPT, "'%s' %s", name, what);
}

/*
 * Undo encode_base64: malloc'd, with a NUL behind, or NULL.  OpenSSL also
 * decodes much that it would never write.
 */
static char *
decode_base64(const char *encoded, size_t *length)
{
	size_t size = strlen(encoded);
	char *bytes, *again;
	bool same;
	int decoded;

	if (size < 4 || size > INT32_MAX / 2)
		return NULL;
	bytes = malloc(size + 1);
	if (bytes == NULL)
		abort();
	decoded = EVP_DecodeBlock(
	    (unsigned char *)bytes, (const unsigned char *)encoded, (int)size);
	if (decoded < 3) {
		free(bytes);
		return NULL;
	}
	/* EVP_DecodeBlock counts the padding as zero bytes. */
	*length = (size_t)decoded - (encoded[size - 1] == '=') -
	    (encoded[size - 2] == '=');
	bytes[*length] = '\0';
	again = encode_base64(bytes, *length);
	same = strcmp(again, encoded) == 0;
	free(again);
	if (same)
		return bytes;
	free(bytes);
	return NULL;
}

/* The bytes of a string or of {"b64": …}, malloc'd, with a NUL behind. */
static char *
unpack_bytes(json_t *json, size_t *length)
{
	const char *encoded = json_string_value(json_object_get(json, "b64"));
	char *bytes;

	if (json_is_string(json)) {
		*length = json_string_length(json);
		bytes = malloc(*length + 1);
		if (bytes == NULL)
			abort();
		memcpy(bytes, json_string_value(json), *length + 1);
		return bytes;
	}
	if (encoded == NULL || json_object_size(json) != 1)
		return NULL;
	return decode_base64(encoded, length);
}

static int
unpack_text(
    const struct field *field, char *base, json_t *json, struct fault *fault)
{
	size_t length = 0;
	char *bytes;

	if (field->kind == FIELD_STRING && json_is_null(json))
		return 0;
	bytes = unpack_bytes(json, &length);
	if (bytes == NULL || strlen(bytes) != length ||
	    (field->kind == FIELD_TEXT && length >= field->size)) {
		free(bytes);
		return wrong(fault, field->name, "is no text, or too long");
	}
	if (field->kind == FIELD_STRING) {
		*(char **)(base + field->offset) = bytes;
		return 0;
	}
	memcpy(base + field->offset, bytes, length + 1);
	free(bytes);
	return 0;
}

static int
unpack_word(
    const struct field *field, char *base, json_t *json, struct fault *fault)
{
	const char *word = json_string_value(json);

	for (int i = 0; word != NULL && field->words[i] != NULL; i++) {
		if (strcmp(field->words[i], word) == 0) {
			*(int *)(base + field->offset) = i;
			return 0;
		}
	}
	return wrong(fault, field->name, "is not one of its words");
}

static int
unpack_numbers(
    const struct field *field, char *base, json_t *json, struct fault *fault)
{
	int64_t *numbers = (int64_t *)(base + field->offset);
	size_t count = json_array_size(json);

	if (!json_is_array(json) || count > field->size)
		return wrong(fault, field->name, "is no list, or too long");
	for (size_t i = 0; i < count; i++) {
		json_t *number = json_array_get(json, i);

		if (!json_is_integer(number))
			return wrong(fault, field->name, "has a non-number");
		numbers[i] = json_integer_value(number);
	}
	*(int *)(base + field->count) = (int)count;
	return 0;
}

static int
unpack_blob(
    const struct field *field, char *base, json_t *json, struct fault *fault)
{
	if (!json_is_string(json) ||
	    token_parse_hex(json_string_value(json),
		(uint8_t *)base + field->offset, field->size) != 0)
		return wrong(fault, field->name, "is not its hexadecimal");
	return 0;
}

static int
unpack_scalar(
    const struct field *field, char *base, json_t *json, struct fault *fault)
{
	if (json == NULL)
		return wrong(fault, field->name, "is missing");
	switch (field->kind) {
	case FIELD_FLAG:
		if (!json_is_boolean(json))
			return wrong(fault, field->name, "is no true or false");
		*(bool *)(base + field->offset) = json_is_true(json);
		return 0;
	case FIELD_NUMBER:
		if (!json_is_integer(json))
			return wrong(fault, field->name, "is no number");
		*(int64_t *)(base + field->offset) = json_integer_value(json);
		return 0;
	case FIELD_WORD:
		return unpack_word(field, base, json, fault);
	case FIELD_TEXT:
	case FIELD_STRING:
		return unpack_text(field, base, json, fault);
	case FIELD_BLOB:
		return unpack_blob(field, base, json, fault);
	case FIELD_NUMBERS:
		return unpack_numbers(field, base, json, fault);
	case FIELD_LIST:
		break;
	}
	abort();
}

/* The object has as many keys as were found: none is unknown. */
static int
check_keys(json_t *object, size_t known, struct fault *fault)
{
	if (json_object_size(object) != known)
		return fault_set(fault, FAULT_CORRUPT,
		    "it has %zu keys, of which %zu are known",
		    json_object_size(object), known);
	return 0;
}

static int
unpack_element(
    const struct field *fields, char *base, json_t *object, struct fault *fault)
{
	size_t known = 0;

	for (; fields[known].name != NULL; known++)
		if (unpack_scalar(&fields[known], base,
			json_object_get(object, fields[known].name),
			fault) != 0)
			return -1;
	return check_keys(object, known, fault);
}

static int
unpack_list(
    const struct field *field, char *base, json_t *json, struct fault *fault)
{
	size_t count = json_array_size(json);
	char *elements;

	if (!json_is_array(json) || count > field->size)
		return wrong(fault, field->name, "is no list, or too long");
	elements = calloc(count + 1, field->stride);
	if (elements == NULL)
		abort();
	*(char **)(base + field->offset) = elements;
	*(int *)(base + field->count) = (int)count;
	for (size_t i = 0; i < count; i++)
		if (unpack_element(field->fields, elements + i * field->stride,
			json_array_get(json, i), fault) != 0)
			return fault_wrap(fault, "'%s'", field->name);
	return 0;
}

static int
unpack_object(const struct field *fields, void *value, json_t *object,
    struct fault *fault)
{
	size_t known = 0;

	for (; fields[known].name != NULL; known++) {
		const struct field *field = &fields[known];
		json_t *json = json_object_get(object, field->name);
		int result = field->kind == FIELD_LIST
		    ? unpack_list(field, value, json, fault)
		    : unpack_scalar(field, value, json, fault);

		if (result != 0)
			return -1;
	}
	return check_keys(object, known, fault);
}

int
fields_read(const struct form *form, void *value, const uint8_t *key,
    const char *text, size_t length, struct fault *fault)
{
	json_error_t error;
	json_t *object;
	int result = -1;

	if (key != NULL && !hmac_matches(text, length, key))
		return fault_set(fault, FAULT_CORRUPT,
		    "its HMAC does not match: it was changed, or written with "
		    "another key");
	object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	/* What we wrote is JSON; and without memory jansson may say nothing. */
	if (object == NULL)
		return fault_set(fault,
		    key != NULL || error.text[0] == '\0' ? FAULT_RETRY
							 : FAULT_CORRUPT,
		    "it cannot be read as JSON: %s at byte %d", error.text,
		    error.position);
	json_object_del(object, "hmac");
	if (json_integer_value(json_object_get(object, "version")) !=
	    form->version)
		fault_set(fault, FAULT_CORRUPT, "its version is not %d",
		    form->version);
	else if (json_object_del(object, "version") == 0)
		result = unpack_object(form->fields, value, object, fault);
	json_decref(object);
	return result;
}

int
fields_load(const struct form *form, void *value, const uint8_t *key, int dirfd,
    struct fault *fault)
{
	struct strbuf text = STRBUF_EMPTY;
	int result = 0;

	if (fsio_read_file(dirfd, form->name, form->size_max, &text) != 0)
		result = errno == EFBIG || errno == EINVAL
		    ? fault_set(fault, FAULT_CORRUPT,
			  "%s is no file of at most %zu bytes", form->name,
			  form->size_max)
		    : fault_errno(fault, "%s cannot be read", form->name);
	else if (fields_read(
		     form, value, key, text.bytes, text.length, fault) != 0)
		result = fault_wrap(fault, "%s", form->name);
	strbuf_close(&text);
	return result;
}

int
fields_save(const struct form *form, const void *value, const uint8_t *key,
    int dirfd, struct fault *fault)
{
	struct strbuf text = STRBUF_EMPTY;
	int result = 0;

	fields_write(form, value, key, &text);
	if (fsio_replace(dirfd, form->name, text.bytes, text.length) != 0)
		result = fault_errno(fault, "%s cannot be written", form->name);
	strbuf_close(&text);
	return result;
}

static void
free_strings(const struct field *fields, char *base)
{
	for (; fields->name != NULL; fields++) {
		if (fields->kind == FIELD_STRING) {
			free(*(char **)(base + fields->offset));
			*(char **)(base + fields->offset) = NULL;
		}
	}
}

void
fields_free(const struct field *fields, void *value)
{
	char *base = value;

	free_strings(fields, base);
	for (; fields->name != NULL; fields++) {
		char **elements = (char **)(base + fields->offset);
		int *count = (int *)(base + fields->count);

		if (fields->kind != FIELD_LIST || *elements == NULL)
			continue;
		for (int i = 0; i < *count; i++)
			free_strings(fields->fields,
			    *elements + (size_t)i * fields->stride);
		free(*elements);
		*elements = NULL;
		*count = 0;
	}
}

/* Most names need no escaping; jansson does the others. */
static bool
is_plain(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i] < 0x20 || bytes[i] > 0x7e || bytes[i] == '"' ||
		    bytes[i] == '\\')
			return false;
	return true;
}

void
fields_add_text(struct strbuf *out, const char *bytes, size_t length)
{
	json_t *json;

	if (is_plain(bytes, length)) {
		strbuf_addc(out, '"');
		strbuf_add(out, bytes, length);
		strbuf_addc(out, '"');
		return;
	}
	json = pack_bytes(bytes, length);
	dump(json, JSON_ENCODE_ANY | JSON_COMPACT, out);
	json_decref(json);
}

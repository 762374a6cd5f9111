/* SPDX-License-Identifier: MIT */
/*
 * What a data directory holds as JSON: a state, a record, the learnt limits,
 * and the intent mark.  The bytes are read as they are, and signed with the
 * key, so that what is behind the HMAC is reached.  What loads is saved and
 * loads again to the same value; what does not is called corrupt.
 */
#include "fuzz.h"

#include "base/budget.h"
#include "base/strbuf.h"
#include "run/intent.h"
#include "store/limits.h"
#include "store/record.h"
#include "store/state.h"

#include <sys/stat.h>

/* Of the seeds. */
#define ID "20260102-030405-abcdefghijklmnop"

static struct datadir datadir = DATADIR_CLOSED;
static int backupfd;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	datadir.fd = fuzz_scratch();
	datadir.backups = datadir.jobs = datadir.locks = datadir.fd;
	memset(&datadir.keys, 'k', sizeof(datadir.keys));
	CHECK(mkdirat(datadir.fd, ID, 0700) == 0);
	backupfd = openat(datadir.fd, ID, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(backupfd >= 0);
	CHECK(datadir_is_id(ID));
	return 0;
}

/* The object with the HMAC of its text before it, as fields_write puts it. */
static void
sign(const char *text, size_t length, struct strbuf *out)
{
	uint8_t hmac[TOKEN_HASH_SIZE];

	while (length > 0 && strchr("\n }", text[length - 1]) != NULL)
		length--;
	strbuf_add(out, text, length);
	strbuf_addstr(out, ",\n");
	token_hmac(datadir.keys.state, out->bytes, out->length, hmac);
	strbuf_addstr(out, "\"hmac\": \"");
	strbuf_add_hex(out, hmac, sizeof(hmac));
	strbuf_addstr(out, "\"\n}\n");
}

static void
check_state_again(const struct state *state)
{
	struct state again;
	struct fault fault;
	struct stat st;

	CHECK_FINE(state_save(state, backupfd, &datadir.keys, &fault), &fault);
	CHECK(fstatat(backupfd, STATE_FILE, &st, 0) == 0);
	CHECK(st.st_size <= STATE_SIZE_MAX);
	CHECK_FINE(state_load(&again, backupfd, &datadir.keys, &fault), &fault);
	CHECK(memcmp(state, &again, sizeof(again)) == 0);
}

static void
check_state(const struct state *state)
{
	CHECK(datadir_is_id(state->id));
	CHECK(state->phase >= 0 && state->phase < PHASE_COUNT);
	CHECK(state->origin == RECORD_FRONTEND || state->origin == RECORD_CLI);
	CHECK(state->phase_count >= 0 && state->phase_count <= PHASE_COUNT);
	CHECK(state->excluded_count >= 0);
	CHECK(state->excluded_count <= STATE_PATTERNS_MAX);
	CHECK(memchr(state->archive, '\0', sizeof(state->archive)) != NULL);
	CHECK(memchr(state->reason, '\0', sizeof(state->reason)) != NULL);
	for (int i = 0; i < SPOOL_COUNT; i++)
		CHECK(state->spools[i].length >= 0 &&
		    state->spools[i].lines >= 0);
	CHECK(state->volume >= 0);
	check_state_again(state);
}

/* signed_here: what is no JSON was signed by us, so memory must be short. */
static void
try_state(const char *text, size_t length, bool signed_here)
{
	struct fault fault = { .code = FAULT_NONE };
	struct state state;

	if (state_parse(&state, text, length, &datadir.keys, &fault) == 0)
		check_state(&state);
	else if (signed_here && fault.code == FAULT_RETRY)
		check_fault(&fault, FAULT_RETRY);
	else
		check_fault(&fault, FAULT_CORRUPT);
}

static void
check_record(struct record *record)
{
	struct strbuf first = STRBUF_EMPTY, second = STRBUF_EMPTY;
	struct record again;
	struct fault fault;

	CHECK(record->status >= RECORD_RUNNING);
	CHECK(record->status <= RECORD_FAILED);
	CHECK(record->phase_count >= 0 && record->phase_count <= PHASE_COUNT);
	CHECK(record->warning_count <= RECORD_WARNINGS_MAX);
	CHECK(strcmp(record->id, ID) == 0);
	CHECK_FINE(
	    record_save(record, backupfd, &datadir.keys, &fault), &fault);
	CHECK_FINE(
	    record_load(&again, &datadir, ID, RECORD_STRICT, &fault), &fault);
	record_print(record, 1, &first);
	record_print(&again, 1, &second);
	CHECK(strcmp(strbuf_text(&first), strbuf_text(&second)) == 0);
	record_close(&again);
	strbuf_close(&first);
	strbuf_close(&second);
}

static void
try_record(const char *text, size_t length, enum record_trust trust)
{
	struct fault fault = { .code = FAULT_NONE };
	struct record record;

	fuzz_write(backupfd, RECORD_FILE, text, length);
	if (record_load(&record, &datadir, ID, trust, &fault) == 0)
		check_record(&record);
	else if (trust == RECORD_STRICT && fault.code == FAULT_RETRY)
		check_fault(&fault, FAULT_RETRY);
	else
		check_fault(&fault, FAULT_CORRUPT);
	record_close(&record);
}

/* Whatever stands there, what comes of it can be worked with. */
static void
try_limits(const uint8_t *data, size_t size)
{
	struct limits limits;
	struct pace pace;

	fuzz_write(datadir.fd, "limits.json", data, size);
	limits_load(&limits, &datadir);
	limits_get_pace(&limits, &pace);
	CHECK(pace.drain > 0 && pace.sync > 0 && pace.fixed > 0);
	CHECK(pace.read > 0);
	for (int i = 0; i < CONTROLLER_COUNT; i++) {
		struct limit *limit = &limits.of[i];
		int64_t most = 10 * BUDGET_SECOND;

		CHECK(limits_budget(limit, most) > 0);
		CHECK(limits_budget(limit, most) <= most);
		limits_note_good(limit, most);
		CHECK(limits_budget(limit, most) > 0);
		limits_note_kill(limit, most);
		CHECK(limits_budget(limit, most) > 0);
		CHECK(limits_budget(limit, most) <= most / 2);
	}
}

static void
try_intent(const uint8_t *data, size_t size)
{
	struct intent intent, again;

	fuzz_write(backupfd, INTENT_FILE, data, size);
	if (!intent_read(&intent, backupfd))
		return;
	CHECK(intent.controller >= 0 && intent.controller < CONTROLLER_COUNT);
	fuzz_write(backupfd, INTENT_FILE, "", 0);
	intent_mark(&intent, backupfd);
	CHECK(intent_read(&again, backupfd));
	CHECK(memcmp(&intent, &again, sizeof(again)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf whole = STRBUF_EMPTY;
	char *text = fuzz_text(data, size);

	sign(text, size, &whole);
	try_state(text, size, false);
	try_state(whole.bytes, whole.length, true);
	try_record(text, size, RECORD_UNVERIFIED);
	try_record(text, size, RECORD_STRICT);
	try_record(whole.bytes, whole.length, RECORD_STRICT);
	try_limits(data, size);
	try_intent(data, size);
	strbuf_close(&whole);
	free(text);
	return 0;
}

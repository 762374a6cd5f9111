/* SPDX-License-Identifier: MIT */
#include "front.h"

#include "base/budget.h"
#include "base/fault.h"
#include "gateway.h"
#include "page.h"
#include "request.h"
#include "response.h"
#include "run/engine.h"
#include "run/runner.h"
#include "run/start.h"
#include "store/config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Browsers give up after twenty redirects; then a page sends them on. */
#define BROWSER_HOPS 15

/* Seconds after which a client may call again: crowded, and after a fault. */
#define CROWDED_SECONDS 1
#define RETRY_SECONDS   30

/* How often a request that has to wait looks whether it should end. */
#define PAUSE (20 * BUDGET_MILLISECOND)

/* What a request asks for. */
struct call {
	struct engine *engine;
	const struct request *request;
	struct response *response;
	const char *id; /* of the backup to step, or NULL */
	int64_t profile;
	int64_t step; /* RUNNER_ANY_STEP, or that of a step URL */
	int64_t hop;  /* redirects of this chain before this request */
	bool noredirect;
	bool fresh;
	bool check;
	/* clients that look for the ID between other marks */
	bool old_marks;
	enum controller controller;
	struct runner_result result;
};

static bool
is(const char *text, const char *word)
{
	return text != NULL && strcasecmp(text, word) == 0;
}

/* Every parameter is looked at before anything is done. */
static int
read_call(struct call *call, enum auth_grant grant, struct request_error *error)
{
	const struct request *request = call->request;
	const char *noredirect, *fresh, *id;

	id = request_text(request, "backupid", error);
	noredirect = request_text(request, "noredirect", error);
	fresh = request_text(request, "fresh", error);
	call->profile = request_number(request, "profile", 1000000, 1, error);
	call->hop = request_number(request, "hop", 1000000000, 0, error);
	call->step = RUNNER_ANY_STEP;
	if (grant == AUTH_STEP)
		call->step = request_number(request, "step",
		    INT64_C(1000000000000), RUNNER_ANY_STEP, error);
	call->check = is(request_text(request, "view", error), "check");
	call->old_marks =
	    is(request_text(request, "action", error), "akeebabackup_legacy");
	if (error->status != 0)
		return -1;
	if (id != NULL && !datadir_is_id(id)) {
		*error =
		    (struct request_error){ 400, "backupid is no backup ID" };
		return -1;
	}
	call->id = id;
	call->noredirect = noredirect != NULL && strcmp(noredirect, "0") != 0;
	call->fresh = fresh != NULL && strcmp(fresh, "0") != 0;
	call->controller = call->noredirect ? CONTROLLER_CALL
	    : request->wants_html           ? CONTROLLER_BROWSER
					    : CONTROLLER_CHAIN;
	return 0;
}

/* A reason for clients: they search the text for words, so no names in it. */
static void
answer_failed(struct call *call, int status, const char *reason)
{
	response_error(call->response, status, NULL);
	strbuf_reset(&call->response->body);
	strbuf_addf(&call->response->body, "500 ERROR -- %s\n", reason);
}

static void
answer_complete(struct call *call)
{
	const struct runner_result *result = &call->result;
	const struct counts *counts = &result->counts;

	call->response->status = 200;
	strbuf_addf(&call->response->body,
	    "200 OK\n"
	    "backup %s, number %lld, is complete\n"
	    "%lld files, %lld folders, %lld symlinks, %lld hard links, "
	    "%lld special files\n"
	    "%lld bytes of content in %lld bytes of archive, %lld parts\n"
	    "%lld excluded, %lld not read, %lld changed while read\n"
	    "%lld warnings\n",
	    result->id, (long long)result->number, (long long)counts->files,
	    (long long)counts->folders, (long long)counts->symlinks,
	    (long long)counts->hardlinks, (long long)counts->specials,
	    (long long)counts->bytes, (long long)result->archive_size,
	    (long long)result->parts, (long long)counts->excluded,
	    (long long)counts->unread, (long long)counts->changed,
	    (long long)counts->warnings);
	if (counts->databases > 0)
		strbuf_addf(&call->response->body,
		    "%lld databases, %lld tables, %lld rows\n",
		    (long long)counts->databases, (long long)counts->tables,
		    (long long)counts->rows);
}

/* The URL of the next step, relative to that of this request. */
static void
make_url(const struct call *call, int64_t hop, char *url, size_t size)
{
	const struct runner_result *result = &call->result;
	const char *segment = call->request->last_segment;
	char token[TOKEN_TEXT_SIZE];

	token_for_step(&call->engine->datadir.keys, result->id, token);
	snprintf(url, size, "%s?backupid=%s&step=%lld&hop=%lld&token=%s",
	    segment[0] != '\0' ? segment : "./", result->id,
	    (long long)result->step, (long long)hop, token);
}

static void
answer_more(struct call *call)
{
	const struct runner_result *result = &call->result;
	struct response *response = call->response;
	const char *mark = call->old_marks ? "#\"\\#\\\"#" : "###";
	char url[512];

	if (call->noredirect) {
		response->status = 200;
		strbuf_addf(&response->body,
		    "301 More work required -- BACKUPID %s%s%s\n", mark,
		    result->id, mark);
		return;
	}
	make_url(call, call->hop + 1, url, sizeof(url));
	strbuf_addf(&response->body, "step %lld, %s, %d %%\n",
	    (long long)result->step, record_phase_words[result->phase],
	    result->percent);
	if (call->request->wants_html &&
	    call->hop % BROWSER_HOPS == BROWSER_HOPS - 1) {
		response->status = 200;
		response_header(response, "Refresh: 0; url=%s", url);
		return;
	}
	response->status = call->request->method == METHOD_POST ? 303 : 302;
	response_header(response, "Location: %s", url);
}

/* Hosts that punish bursts want a request to take its time. */
static void
wait_for_least(const struct call *call, int64_t started)
{
	const struct config *config = call->engine->config;

	while (budget_now() - started < config->step_min &&
	    !atomic_load(&call->engine->stop)) {
		struct timespec pause = { 0, PAUSE };

		nanosleep(&pause, NULL);
	}
}

static void
answer_fault(struct call *call, const struct fault *fault)
{
	fprintf(stderr, "stepvault: %s\n", fault->text);
	answer_failed(call, 503, fault->text);
	response_header(call->response, "Retry-After: %d", RETRY_SECONDS);
}

static void
answer_result(struct call *call, int64_t started)
{
	switch (call->result.outcome) {
	case RUNNER_MORE:
	case RUNNER_BUSY:
		wait_for_least(call, started);
		answer_more(call);
		break;
	case RUNNER_CROWDED:
		response_error(
		    call->response, 503, "too many requests for one backup");
		response_header(
		    call->response, "Retry-After: %d", CROWDED_SECONDS);
		break;
	case RUNNER_COMPLETE:
		answer_complete(call);
		break;
	case RUNNER_FAILED:
		answer_failed(call, 500, call->result.reason);
		break;
	case RUNNER_RETRY:
		answer_fault(call, &call->result.fault);
		break;
	case RUNNER_UNKNOWN:
		response_error(call->response, 404, "there is no such backup");
		break;
	}
}

/* The backup that the call means, which may have to be started. */
static enum start_outcome
choose_backup(struct call *call, char id[ID_SIZE], struct fault *fault)
{
	struct engine *engine = call->engine;
	struct start_terms terms = { .origin = RECORD_FRONTEND,
		.fresh = call->fresh };
	const struct profile *profile;

	if (call->id != NULL) {
		memcpy(id, call->id, ID_SIZE);
		return START_STEP;
	}
	profile = config_profile(engine->config, call->profile);
	if (profile == NULL)
		return fault_set(
		    fault, FAULT_USAGE, "there is no profile of this number");
	return start_backup(engine, profile, &terms, id, fault);
}

static void
step(struct call *call, int64_t started)
{
	struct runner_terms terms = { .controller = call->controller,
		.budget = call->engine->config->step_max };
	struct fault fault;
	char id[ID_SIZE];

	switch (choose_backup(call, id, &fault)) {
	case START_FAULT:
		if (fault.code == FAULT_USAGE)
			response_error(call->response, 400, fault.text);
		else
			answer_fault(call, &fault);
		return;
	case START_REPEAT:
		runner_report(call->engine, id, &call->result);
		break;
	case START_STEP:
		runner_step(
		    call->engine, id, call->step, &terms, &call->result);
		break;
	}
	answer_result(call, started);
}

/* Whether the newest backup that has ended, of any profile, ended well. */
static void
check(struct call *call)
{
	struct fault fault;

	switch (start_last_ended(call->engine, &call->result, &fault)) {
	case 1:
		if (call->result.outcome == RUNNER_COMPLETE) {
			call->response->status = 200;
			strbuf_addf(&call->response->body,
			    "200 the last backup, %s, is complete\n",
			    call->result.id);
		} else {
			call->response->status = 500;
			strbuf_addf(&call->response->body,
			    "500 the last backup, %s, has failed: %s\n",
			    call->result.id, call->result.reason);
		}
		break;
	case 0:
		call->response->status = 500;
		strbuf_addstr(
		    &call->response->body, "500 no backup has ended yet\n");
		break;
	default:
		answer_fault(call, &fault);
		break;
	}
}

/* Under the document root a web server would serve the archives. */
static bool
is_served(const struct call *call)
{
	const struct config *config = call->engine->config;
	const char *root = call->request->document_root;

	return root[0] == '/' && !config->data_in_site &&
	    datadir_inside(config, root);
}

void
front_handle(struct engine *engine, enum auth_grant grant,
    const struct request *request, struct response *response,
    struct gateway *gateway)
{
	struct call call = {
		.engine = engine, .request = request, .response = response
	};
	struct request_error error = { 0 };
	int64_t started = budget_now();

	if (read_call(&call, grant, &error) != 0)
		response_error(response, error.status, error.text);
	else if (is_served(&call))
		answer_failed(&call, 500,
		    "the data directory lies inside the document root, where "
		    "the web server may serve it; move it");
	else if (call.check && grant == AUTH_SECRET)
		check(&call);
	else
		step(&call, started);
	if (request->wants_html &&
	    (response->status == 200 || response->status >= 400))
		page_wrap(response);
	if (response_send(response, gateway) != 0)
		runner_note_undelivered(
		    engine, call.controller, budget_now() - started);
}

/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_WEBCALL_H
#define TESTS_UNIT_WEBCALL_H

#include "check.h"
#include "tool.h"

#include "gateway.h"
#include "run/engine.h"
#include "store/config.h"

/* An engine with a data directory and a small site, and calls to it. */

#define WEB_SECRET "abcdefghijklmnopqrstuvwxyz"

struct web {
	char *top; /* the scratch, with data/ and site/ in it */
	struct config config;
	struct engine engine;
};

static inline void
web_open(struct web *web, void **state)
{
	struct strbuf text = STRBUF_EMPTY;
	struct fault fault;

	memset(web, 0, sizeof(*web));
	web->top = *state;
	strbuf_addf(&text,
	    "[server]\ndata = %s/data\nsecret = " WEB_SECRET
	    "\n[profile 1]\nsite = %s/site\nmin_free = 0\n",
	    web->top, web->top);
	assert_int_equal(tool_run(web->top, "mkdir -p site && : >site/a"), 0);
	assert_fine(
	    config_parse(&web->config, "web", text.bytes, &fault), &fault);
	assert_fine(engine_open(&web->engine, &web->config, &fault), &fault);
	/* Always the same, so that it is known who shares a slot. */
	memset(&web->engine.datadir.keys, 'k', sizeof(struct keys));
	strbuf_close(&text);
}

static inline void
web_close(struct web *web)
{
	engine_close(&web->engine);
	config_close(&web->config);
}

#endif

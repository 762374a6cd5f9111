/* SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "gateway.h"
#include "response.h"
#include "route.h"
#include "run/companion.h"
#include "run/engine.h"
#include "server.h"
#include "store/config.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS_STANDARD 32
#define THREADS_MAX      256

enum exit_status { EXIT_FINE = 0, EXIT_BROKEN = 1, EXIT_USAGE = 2 };

struct choice {
	const char *config_path;
	const char *address;
	enum config_user user;
	int threads;
	bool companion;
};

static const char usage[] =
    "usage: stepvault.fcgi [--config FILE] [--listen ADDR] [--threads N]\n"
    "                      [--stay-root]\n"
    "\n"
    "Back up web sites, one step a request.  Serves FastCGI on descriptor 0\n"
    "(spawn-fcgi, lighttpd, mod_fcgid, a systemd socket), or at ADDR\n"
    "(127.0.0.1:9000 or unix:/path); started by a web server as plain CGI it\n"
    "serves that one request.  SIGTERM ends it at the next checkpoint.\n"
    "\n"
    "  --config FILE  instead of $STEPVAULT_CONFIG, ~/.config/stepvault/\n"
    "                 stepvault.conf or /etc/stepvault/stepvault.conf\n"
    "  --listen ADDR  listen there\n"
    "  --threads N    requests at a time, 1 to 256 (32); a quarter of them\n"
    "                 may wait for another's step\n"
    "  --stay-root    root does not become the configuration's owner\n"
    "  --companion    be the companion, as which it starts itself\n";

static int
complain(const struct fault *fault)
{
	fprintf(stderr, "stepvault.fcgi: %s\n", fault->text);
	return fault->code == FAULT_USAGE ? EXIT_USAGE : EXIT_BROKEN;
}

/* 0: go on; else the exit status plus one. */
static int
parse_choice(int argc, char **argv, struct choice *choice)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "listen", required_argument, NULL, 'l' },
		{ "threads", required_argument, NULL, 't' },
		{ "stay-root", no_argument, NULL, 'r' },
		{ "companion", no_argument, NULL, 'C' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			choice->config_path = optarg;
			break;
		case 'l':
			choice->address = optarg;
			break;
		case 't':
			choice->threads = (int)strtol(optarg, NULL, 10);
			break;
		case 'r':
			choice->user = CONFIG_STAY;
			break;
		case 'C':
			choice->companion = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_FINE + 1;
		case 'v':
			printf("stepvault %s\n", STEPVAULT_VERSION);
			return EXIT_FINE + 1;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE + 1;
		}
	}
	if (choice->threads < 1 || choice->threads > THREADS_MAX) {
		fprintf(stderr, "stepvault.fcgi: --threads must be 1 to %d\n",
		    THREADS_MAX);
		return EXIT_USAGE + 1;
	}
	return 0;
}

/* Descriptor 0 is a socket to accept connections from. */
static bool
is_listening(int fd)
{
	int accepts = 0;
	socklen_t length = sizeof(accepts);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) ==
	    0 &&
	    accepts != 0;
}

/* A web server started us for one request. */
static bool
is_plain_cgi(void)
{
	return getenv("GATEWAY_INTERFACE") != NULL ||
	    getenv("REQUEST_METHOD") != NULL;
}

/*
 * Whoever calls learns no more than that it does not work; the web server's
 * error log has the rest.
 */
static void
answer_broken(void)
{
	struct gateway *gateway = gateway_plain();
	struct response response = RESPONSE_EMPTY;

	response_error(&response, 500,
	    "ERROR -- Stepvault is not set up right; the web server's error "
	    "log says why");
	response_send(&response, gateway);
	response_close(&response);
	gateway_close(gateway);
}

/* The one thing that the signal handler can reach. */
static struct engine *serving; /* NOLINT(*-avoid-non-const-global-variables) */

static void
stop_serving(int signal)
{
	(void)signal;
	atomic_store(&serving->stop, true);
}

/* A web server ends a program whose client has gone with SIGTERM. */
static int
serve_plain(struct engine *engine)
{
	struct sigaction action = { .sa_handler = stop_serving };
	struct gateway *gateway = gateway_plain();

	serving = engine;
	sigaction(SIGTERM, &action, NULL);
	route_request(engine, gateway);
	gateway_close(gateway);
	return EXIT_FINE;
}

static int
serve(struct engine *engine, const struct choice *choice)
{
	struct fault fault;
	int listener = STDIN_FILENO;

	if (gateway_init() != 0) {
		fault_set(&fault, FAULT_SYSTEM, "libfcgi does not work here");
		return complain(&fault);
	}
	if (choice->address != NULL) {
		listener = server_listen(choice->address, &fault);
		if (listener < 0)
			return complain(&fault);
	} else if (!is_listening(listener)) {
		fputs("stepvault.fcgi: descriptor 0 is no listening socket, "
		      "and there is no --listen\n\n",
		    stderr);
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	engine->waiting_max = choice->threads >= 8 ? choice->threads / 4 : 1;
	if (server_run(engine, listener, choice->threads, &fault) != 0)
		return complain(&fault);
	return EXIT_FINE;
}

static int
be_companion(struct engine *engine)
{
	struct fault fault;

	return companion_main(engine, true, &fault) == 0 ? EXIT_FINE
							 : complain(&fault);
}

/* Descriptors 1 and 2 may be closed: what we open must not become them. */
static void
keep_standard_streams(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	while (fd >= 0 && fd <= STDERR_FILENO)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
}

int
main(int argc, char **argv)
{
	struct choice choice = { .user = CONFIG_BECOME_OWNER,
		.threads = THREADS_STANDARD };
	struct config config = { 0 };
	struct engine engine = { .datadir = DATADIR_CLOSED };
	struct fault fault;
	bool plain = false;
	int status = parse_choice(argc, argv, &choice);

	if (status != 0)
		return status - 1;
	keep_standard_streams();
	signal(SIGPIPE, SIG_IGN);
	if (choice.address == NULL && !choice.companion &&
	    !is_listening(STDIN_FILENO))
		plain = is_plain_cgi();
	if (config_load(&config, choice.config_path, choice.user, &fault) !=
		0 ||
	    engine_open(&engine, &config, &fault) != 0) {
		status = complain(&fault);
		if (plain)
			answer_broken();
	} else {
		engine.has_companion = true;
		status = choice.companion ? be_companion(&engine)
		    : plain               ? serve_plain(&engine)
					  : serve(&engine, &choice);
	}
	engine_close(&engine);
	config_close(&config);
	return status;
}

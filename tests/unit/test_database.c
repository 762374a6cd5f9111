/* SPDX-License-Identifier: MIT */
/* What may stand behind "database =", and that no password is ever said. */
#include "check.h"

#include "base/strbuf.h"
#include "store/database.h"

#define PASSWORD "s3cr3t"

struct url {
	const char *text;
	struct database is;
	const char *shown;
};

#define TEXT(t) ((char *)(uintptr_t)(t))

static const struct url urls[] = {
	{ "mysql://u:p@h/n",
	    { NULL, TEXT("h"), 3306, NULL, TEXT("u"), TEXT("p"), TEXT("n"),
		TEXT("n"), DATABASE_TLS_PREFERRED, NULL, NULL, NULL },
	    "mysql://h:3306/n" },
	{ "MariaDB://u@db.example.org:3307/Shop_1.x-y",
	    { NULL, TEXT("db.example.org"), 3307, NULL, TEXT("u"), NULL,
		TEXT("Shop_1.x-y"), TEXT("Shop_1.x-y"), 0, NULL, NULL, NULL },
	    "mysql://db.example.org:3307/Shop_1.x-y" },
	/* Each of these is a byte in which URLs differ from passwords. */
	{ "mysql://a%40b:%3A%2F%3f%23%5B%5d%40%25+&=;@h/%C3%BCber%20%60%2F",
	    { NULL, TEXT("h"), 3306, NULL, TEXT("a@b"), TEXT(":/?#[]@%+&=;"),
		TEXT("\xc3\xbc"
		     "ber `/"),
		TEXT("__ber___"), 0, NULL, NULL, NULL },
	    "mysql://h:3306/\xc3\xbc"
	    "ber%20`%2F" },
	/* '@' and ':' in a password do no harm. */
	{ "mysql://u:a@b:c@h/n",
	    { NULL, TEXT("h"), 3306, NULL, TEXT("u"), TEXT("a@b:c"), TEXT("n"),
		TEXT("n"), 0, NULL, NULL, NULL },
	    "mysql://h:3306/n" },
	/* A password that is empty is none that is missing. */
	{ "mysql://u:@h/n",
	    { NULL, TEXT("h"), 3306, NULL, TEXT("u"), TEXT(""), TEXT("n"),
		TEXT("n"), 0, NULL, NULL, NULL },
	    "mysql://h:3306/n" },
	{ "mysql://[::1]/n",
	    { NULL, TEXT("::1"), 3306, NULL, NULL, NULL, TEXT("n"), TEXT("n"),
		0, NULL, NULL, NULL },
	    "mysql://[::1]:3306/n" },
	{ "mysql://u@[2001:db8::7]:65535/n",
	    { NULL, TEXT("2001:db8::7"), 65535, NULL, TEXT("u"), NULL,
		TEXT("n"), TEXT("n"), 0, NULL, NULL, NULL },
	    "mysql://[2001:db8::7]:65535/n" },
	/* The socket, unless a port is named. */
	{ "mysql:///n",
	    { NULL, NULL, 0, NULL, NULL, NULL, TEXT("n"), TEXT("n"), 0, NULL,
		NULL, NULL },
	    "mysql:///n" },
	{ "mysql://u:p@LocalHost/n",
	    { NULL, NULL, 0, NULL, TEXT("u"), TEXT("p"), TEXT("n"), TEXT("n"),
		0, NULL, NULL, NULL },
	    "mysql:///n" },
	{ "mysql://u:p@localhost:3306/n",
	    { NULL, TEXT("localhost"), 3306, NULL, TEXT("u"), TEXT("p"),
		TEXT("n"), TEXT("n"), 0, NULL, NULL, NULL },
	    "mysql://localhost:3306/n" },
	{ "mysql://u:p@/n?socket=/run/my%26sql/s&as=sh-op.1_",
	    { NULL, NULL, 0, TEXT("/run/my&sql/s"), TEXT("u"), TEXT("p"),
		TEXT("n"), TEXT("sh-op.1_"), 0, NULL, NULL, NULL },
	    "mysql:///n?socket=/run/my&sql/s" },
	{ "mysql://localhost/n?as=x&socket=/s",
	    { NULL, NULL, 0, TEXT("/s"), NULL, NULL, TEXT("n"), TEXT("x"), 0,
		NULL, NULL, NULL },
	    "mysql:///n?socket=/s" },
	{ "mysql://h/n?ssl_mode=off",
	    { NULL, TEXT("h"), 3306, NULL, NULL, NULL, TEXT("n"), TEXT("n"),
		DATABASE_TLS_OFF, NULL, NULL, NULL },
	    "mysql://h:3306/n" },
	{ "mysql://h/n?ssl_mode=required&ssl_cert=/c&ssl_key=/k&ssl_ca=/a",
	    { NULL, TEXT("h"), 3306, NULL, NULL, NULL, TEXT("n"), TEXT("n"),
		DATABASE_TLS_REQUIRED, TEXT("/a"), TEXT("/c"), TEXT("/k") },
	    "mysql://h:3306/n" },
	{ "mysql://h/n?ssl_mode=verify",
	    { NULL, TEXT("h"), 3306, NULL, NULL, NULL, TEXT("n"), TEXT("n"),
		DATABASE_TLS_VERIFY, NULL, NULL, NULL },
	    "mysql://h:3306/n" },
	{ "mysql://h/n?ssl_ca=/a",
	    { NULL, TEXT("h"), 3306, NULL, NULL, NULL, TEXT("n"), TEXT("n"),
		DATABASE_TLS_VERIFY, TEXT("/a"), NULL, NULL },
	    "mysql://h:3306/n" },
	{ "mysql://h/n?ssl_mode=preferred&",
	    { NULL, TEXT("h"), 3306, NULL, NULL, NULL, TEXT("n"), TEXT("n"),
		DATABASE_TLS_PREFERRED, NULL, NULL, NULL },
	    "mysql://h:3306/n" },
	/* A name that would be hidden, or climb. */
	{ "mysql://h/..",
	    { NULL, TEXT("h"), 3306, NULL, NULL, NULL, TEXT(".."), TEXT("_."),
		0, NULL, NULL, NULL },
	    "mysql://h:3306/.." },
	{ "wp-config.php",
	    { TEXT("wp-config.php"), NULL, 0, NULL, NULL, NULL, NULL, NULL, 0,
		NULL, NULL, NULL },
	    "wp-config.php" },
	{ "x y.php \t ?as=z",
	    { TEXT("x y.php"), NULL, 0, NULL, NULL, NULL, NULL, TEXT("z"), 0,
		NULL, NULL, NULL },
	    "x y.php" },
	{ "/srv/a b/%41@x:y/.env?as=shop",
	    { TEXT("/srv/a b/%41@x:y/.env"), NULL, 0, NULL, NULL, NULL, NULL,
		TEXT("shop"), 0, NULL, NULL, NULL },
	    "/srv/a b/%41@x:y/.env" },
};

static void
assert_same(const char *text, const char *one, const char *two)
{
	if ((one == NULL) != (two == NULL) ||
	    (one != NULL && strcmp(one, two) != 0))
		fail_msg("'%s' instead of '%s' in %s", one != NULL ? one : "-",
		    two != NULL ? two : "-", text);
}

static void
assert_equal(
    const char *text, const struct database *got, const struct database *wanted)
{
	assert_same(text, got->config, wanted->config);
	assert_same(text, got->host, wanted->host);
	assert_int_equal(got->port, wanted->port);
	assert_same(text, got->socket, wanted->socket);
	assert_same(text, got->user, wanted->user);
	assert_same(text, got->password, wanted->password);
	assert_same(text, got->name, wanted->name);
	assert_same(text, got->label, wanted->label);
	assert_int_equal(got->tls, wanted->tls);
	assert_same(text, got->tls_ca, wanted->tls_ca);
	assert_same(text, got->tls_cert, wanted->tls_cert);
	assert_same(text, got->tls_key, wanted->tls_key);
}

static void
takes_every_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(urls); i++) {
		struct strbuf shown = STRBUF_EMPTY;
		struct database database, copy;
		struct fault fault;

		assert_fine(
		    database_parse(&database, urls[i].text, &fault), &fault);
		assert_equal(urls[i].text, &database, &urls[i].is);
		database_copy(&copy, &database);
		database_close(&database);
		assert_equal(urls[i].text, &copy, &urls[i].is);
		database_show(&copy, &shown);
		assert_string_equal(shown.bytes, urls[i].shown);
		strbuf_close(&shown);
		database_close(&copy);
		database_close(&copy);
	}
}

static const struct {
	const char *text;
	const char *right;
} wrong[] = {
	{ "mysql://u:" PASSWORD "@h", "the name of the database is missing" },
	{ "mysql://u:" PASSWORD "@h/", "the name of the database is missing" },
	{ "mysql://u:" PASSWORD "@h?as=x", "the name of the database is miss" },
	{ "mysql://u:" PASSWORD "@h/n/m", "more than one '/'" },
	{ "mysql://u:" PASSWORD "@h/%ff%", "'%' in the database's name" },
	{ "mysql://u:" PASSWORD "@h/%00", "'%' in the database's name" },
	{ "mysql://u:" PASSWORD "%@h/n",
	    "'%' in the password is not followed" },
	{ "mysql://u:" PASSWORD "%4@h/n", "itself is written %25" },
	{ "mysql://u%zz:" PASSWORD "@h/n", "'%' in the user's name" },
	/* The password has a byte that ends it. */
	{ "mysql://u:" PASSWORD "/@h/n", "'/' is written %2F" },
	{ "mysql://u:" PASSWORD "?@h/n", "'?' %3F" },
	{ "mysql://u:" PASSWORD "#@h/n", "written %20 and %23" },
	{ "mysql://u:" PASSWORD " @h/n", "written %20 and %23" },
	{ "mysql://u:123/" PASSWORD "@h/n", "more than one '/'" },
	{ "mysql://u:" PASSWORD "@h:0/n", "no port from 1 to 65535" },
	{ "mysql://u:" PASSWORD "@h:65536/n", "no port from 1 to 65535" },
	{ "mysql://u:" PASSWORD "@h:99999999999999999999/n", "no port" },
	{ "mysql://u:" PASSWORD "@h:+1/n", "no port from 1 to 65535" },
	{ "mysql://u:" PASSWORD "@h:/n", "no port from 1 to 65535" },
	{ "mysql://u:" PASSWORD "@:3306/n", "the host is missing" },
	{ "mysql://u:" PASSWORD "@::1/n",
	    "an IPv6 address stands in brackets" },
	{ "mysql://u:" PASSWORD "@[::1/n", "the ']' is missing" },
	{ "mysql://u:" PASSWORD "@[::1]3306/n", "no port from 1 to 65535" },
	{ "mysql://u:" PASSWORD "@h/n?x=" PASSWORD, "there are socket, ssl_m" },
	{ "mysql://u:" PASSWORD "@h/n?socket", "one without a value" },
	{ "mysql://u:" PASSWORD "@h/n?&as=x", "one without a value" },
	{ "mysql://u:" PASSWORD "@h/n?AS=x", "there are socket, ssl_mode" },
	{ "mysql://u:" PASSWORD "@h/n?ssl_mod=off", "there are socket" },
	{ "mysql://u:" PASSWORD "@h/n?as=x&as=y", "option as: it is there tw" },
	{ "mysql://u:" PASSWORD "@h/n?as=", "option as: write letters, dig" },
	{ "mysql://u:" PASSWORD "@h/n?as=.x", "option as: write letters" },
	{ "mysql://u:" PASSWORD "@h/n?as=a/b", "option as: write letters" },
	{ "mysql://u:" PASSWORD "@h/n?as=%C3%BC", "option as: write letters" },
	{ "mysql://u:" PASSWORD "@h/n?ssl_mode=on", "ssl_mode: write off, pr" },
	{ "mysql://u:" PASSWORD "@h/n?ssl_mode=off&ssl_mode=off", "twice" },
	{ "mysql://u:" PASSWORD "@h/n?ssl_ca=x", "ssl_ca: write an absolute" },
	{ "mysql://u:" PASSWORD "@h/n?ssl_mode=off&ssl_ca=/x", "no use of" },
	{ "mysql://u:" PASSWORD "@h/n?ssl_key=/x", "without ssl_cert" },
	{ "mysql://u:" PASSWORD "@/n?socket=s", "socket: write an absolute" },
	{ "mysql://u:" PASSWORD "@h/n?socket=/s", "both a host and a socket" },
	{ "mysql://u:" PASSWORD "@localhost:3306/n?socket=/s", "both a host" },
	/* Schemes that there are not, and one that was forgotten. */
	{ "postgres://u:" PASSWORD "@h/n", "write mysql://USER:PASSWORD@" },
	{ "mysql:/u:" PASSWORD "@h/n", "write mysql://USER:PASSWORD@" },
	{ "u:" PASSWORD "@h/n", "the path of the site's own configuration" },
	{ "", "such as wp-config.php" },
	{ "?as=x", "such as wp-config.php" },
	{ "wp-config.php?socket=/x", "there is only as=LABEL" },
	{ "wp-config.php?as=", "option as: write letters" },
};

static void
refuses_without_a_password(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct database database;
		struct fault fault;

		assert_faulty(database_parse(&database, wrong[i].text, &fault),
		    FAULT_USAGE, wrong[i].right, &fault);
		if (strstr(fault.text, PASSWORD) != NULL)
			fail_msg("the password is in '%s'", fault.text);
		database_close(&database);
	}
}

/* The label of a long name, and names that are too long. */
static void
bounds_names(void **state)
{
	char url[2400] = "mysql://h/";
	struct database database;
	struct fault fault;

	(void)state;
	memset(url + 10, 'n', 256);
	assert_fine(database_parse(&database, url, &fault), &fault);
	assert_int_equal(strlen(database.name), 256);
	assert_int_equal(strlen(database.label), 100);
	database_close(&database);
	url[266] = 'n';
	assert_faulty(database_parse(&database, url, &fault), FAULT_USAGE,
	    "longer than 64 characters", &fault);
	database_close(&database);
	memset(url + 266, 'n', 2000);
	assert_faulty(database_parse(&database, url, &fault), FAULT_USAGE,
	    "longer than 2000 bytes", &fault);
	database_close(&database);
}

static void
keeps_a_label(void **state)
{
	struct database database;
	struct fault fault;

	(void)state;
	assert_fine(database_parse(&database, "x.php?as=a", &fault), &fault);
	database_name(&database, "b");
	assert_string_equal(database.name, "b");
	assert_string_equal(database.label, "a");
	database_close(&database);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_every_form),
		cmocka_unit_test(refuses_without_a_password),
		cmocka_unit_test(bounds_names),
		cmocka_unit_test(keeps_a_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

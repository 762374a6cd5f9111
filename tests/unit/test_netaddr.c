/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "base/netaddr.h"

#include <arpa/inet.h>

static bool
lies_in(const char *block_text, const char *address_text)
{
	struct netblock block;
	struct netaddr address;

	assert_int_equal(netblock_parse(block_text, &block), 0);
	assert_int_equal(netaddr_parse(address_text, &address), 0);
	return netblock_contains(&block, &address);
}

static void
parses_both_families(void **state)
{
	static const uint8_t mapped[16] = { [10] = 0xff,
		[11] = 0xff,
		[12] = 192,
		[13] = 0,
		[14] = 2,
		[15] = 1 };
	static const uint8_t six[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x1a };
	struct netaddr address;

	(void)state;
	assert_int_equal(netaddr_parse("192.0.2.1", &address), 0);
	assert_memory_equal(address.bytes, mapped, 16);
	assert_int_equal(netaddr_parse("::ffff:192.0.2.1", &address), 0);
	assert_memory_equal(address.bytes, mapped, 16);
	assert_int_equal(netaddr_parse("2001:DB8::1a", &address), 0);
	assert_memory_equal(address.bytes, six, 16);
}

static void
refuses_what_is_no_address(void **state)
{
	static const char *const wrong[] = { "", " ", "1", "1.2.3", "1.2.3.4.5",
		"256.1.1.1", "1.2.3.-4", "1.2.3.4 ", " 1.2.3.4", "01.2.3.4",
		"1.2.3.4:80", "[::1]", "::1%lo", ":::", "1::2::3",
		"12345::", "g::", "localhost", "1.2.3.4\n", "::ffff:1.2.3",
		"0x7f.1.1.1" };
	struct netaddr address;
	struct netblock block;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		if (netaddr_parse(wrong[i], &address) == 0)
			fail_msg("'%s' was taken as an address", wrong[i]);
		assert_int_equal(netblock_parse(wrong[i], &block), -1);
	}
}

static void
refuses_what_is_no_block(void **state)
{
	static const char *const wrong[] = { "/8", "10.0.0.0/", "10.0.0.0/33",
		"10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/ 8", "10.0.0.0/8 ",
		"10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "10.0.0.0/0x8",
		"10.0.0.0/99999999999999999999", "::/129", "::/", "10/8",
		("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"
		 ":dddd/8") };
	struct netblock block;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		if (netblock_parse(wrong[i], &block) == 0)
			fail_msg("'%s' was taken as a block", wrong[i]);
}

static void
knows_what_lies_in_a_block(void **state)
{
	(void)state;
	assert_true(lies_in("10.0.0.0/8", "10.255.255.255"));
	assert_false(lies_in("10.0.0.0/8", "11.0.0.0"));
	assert_true(lies_in("10.1.2.3/8", "10.9.9.9")); /* host bits set */
	assert_true(lies_in("192.0.2.128/25", "192.0.2.200"));
	assert_false(lies_in("192.0.2.128/25", "192.0.2.127"));
	assert_true(lies_in("192.0.2.1", "192.0.2.1"));
	assert_false(lies_in("192.0.2.1", "192.0.2.0"));
	assert_true(lies_in("192.0.2.1/32", "::ffff:192.0.2.1"));
	assert_true(lies_in("0.0.0.0/0", "203.0.113.9"));
	assert_false(lies_in("0.0.0.0/0", "2001:db8::1"));
	assert_false(lies_in("0.0.0.0/0", "::1"));
	assert_true(lies_in("::/0", "2001:db8::1"));
	assert_true(lies_in("::/0", "1.2.3.4"));
	assert_true(lies_in("::ffff:10.0.0.0/104", "10.1.1.1"));
	assert_false(lies_in("::ffff:10.0.0.0/104", "11.1.1.1"));
	assert_true(lies_in("2001:db8::/33", "2001:db8:7fff::"));
	assert_false(lies_in("2001:db8::/33", "2001:db8:8000::"));
	assert_true(lies_in("2001:db8::5/128", "2001:db8::5"));
	assert_false(lies_in("2001:db8::5/127", "2001:db8::6"));
}

#define PAIRS 2000

/* A block and an address that often lies in it. */
static void
random_pair(struct dice *dice, char block[80], char address[80])
{
	char text[INET6_ADDRSTRLEN];
	int family = dice_roll(dice, 2) ? AF_INET : AF_INET6;
	size_t length = family == AF_INET ? 4 : 16;
	uint8_t bytes[16];

	dice_fill(dice, bytes, length);
	/* 20…, and so never an address that holds an IPv4 address */
	if (family == AF_INET6)
		bytes[0] = 0x20;
	inet_ntop(family, bytes, text, sizeof(text));
	snprintf(block, 80, "%s/%zu", text, dice_roll(dice, 8 * length + 1));
	for (size_t flips = dice_roll(dice, 3); flips > 0; flips--)
		bytes[dice_roll(dice, length - 1) + 1] ^=
		    (uint8_t)(1U << dice_roll(dice, 8));
	inet_ntop(family, bytes, address, 80);
}

static void
agrees_with_python(void **state)
{
	static const char program[] =
	    "import ipaddress, sys\n"
	    "for line in sys.stdin:\n"
	    "    block, address = line.split()\n"
	    "    print(int(ipaddress.ip_address(address) in\n"
	    "              ipaddress.ip_network(block, strict=False)))\n";
	struct dice dice = dice_new();
	struct strbuf pairs = STRBUF_EMPTY, answers = STRBUF_EMPTY;
	char ours[PAIRS + 1] = { 0 };

	for (size_t i = 0; i < PAIRS; i++) {
		char block[80], address[80];

		random_pair(&dice, block, address);
		strbuf_addf(&pairs, "%s %s\n", block, address);
		ours[i] = lies_in(block, address) ? '1' : '0';
	}
	tool_write(*state, "program", program, strlen(program));
	tool_write(*state, "pairs", pairs.bytes, pairs.length);
	assert_int_equal(
	    tool_run(*state, "python3 program <pairs | tr -d '\\n' >answers"),
	    0);
	tool_read(*state, "answers", &answers);
	assert_non_null(strchr(ours, '0'));
	assert_non_null(strchr(ours, '1'));
	assert_string_equal(answers.bytes, ours);
	strbuf_close(&pairs);
	strbuf_close(&answers);
}

static void
counts_ipv6_by_its_64(void **state)
{
	struct netaddr one, two, origin;

	(void)state;
	netaddr_parse("2001:db8:1:2:3:4:5:6", &one);
	netaddr_parse("2001:db8:1:2::", &two);
	origin = netaddr_origin(&one);
	assert_memory_equal(origin.bytes, two.bytes, 16);
	netaddr_parse("192.0.2.77", &one);
	origin = netaddr_origin(&one);
	assert_memory_equal(origin.bytes, one.bytes, 16);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_both_families),
		cmocka_unit_test(refuses_what_is_no_address),
		cmocka_unit_test(refuses_what_is_no_block),
		cmocka_unit_test(knows_what_lies_in_a_block),
		scratch_test(agrees_with_python),
		cmocka_unit_test(counts_ipv6_by_its_64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "target/service.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

Test(service, names_units_and_containers)
{
	static const struct {
		const char *text, *service;
	} expected[] = {
		{ "0::/system.slice/shop.service\n", "shop" },
		{ "0::/system.slice/system-shop.slice/shop@2.service\n", "shop@2" },
		{ "0::/system.slice/shop.service/workers\n", "shop" },
		{ "0::/system.slice/a\\x2db.service\n", "a-b" },
		{ "0::/system.slice/docker-" ID ".scope\n", "docker-0123456789ab" },
		{ "0::/system.slice/docker-" ID ".scope/init\n", "docker-0123456789ab" },
		{ "0::/docker/" ID "\n", "0123456789ab" },
		{ "0::/machine.slice/libpod-" ID ".scope/container\n", "libpod-0123456789ab" },
		{ "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7.slice/"
		  "cri-containerd-" ID ".scope\n",
		  "cri-containerd-0123456789ab" },
		{ "0::/kubepods/burstable/pod1b2c/" ID "\n", "0123456789ab" },
		{ "0::/user.slice/user-1000.slice/session-3.scope\n", "user" },
		{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n",
		  "web" },
		{ "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", "user" },
		{ "0::/\n", "none" },
		{ "", "none" },
		{ "nonsense", "none" },
		{ "::", "none" },
		/* version 1 beside version 2: the latter is empty there */
		{ "12:cpu,cpuacct:/x\n1:name=systemd:/system.slice/old.service\n", "old" },
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		char service[SERVICE_BYTES];

		cr_expect_str_eq(service_of_cgroup(expected[i].text, service), expected[i].service,
				 "%s: %s", expected[i].text, service);
	}
}

Test(service, keeps_names_short_and_harmless)
{
	char text[512] = "0::/system.slice/", service[SERVICE_BYTES];

	memset(text + strlen(text), 'x', 200);
	strcat(text, ".service\n");
	cr_expect_eq(strlen(service_of_cgroup(text, service)), SERVICE_BYTES - 1);
	cr_expect_str_eq(service_of_cgroup("0::/a\033[1m.service\n", service), "a_[1m");
}

Test(service, is_something_for_every_process)
{
	char service[SERVICE_BYTES];

	cr_expect_gt(strlen(service_of_process(getpid(), service)), 0);
	cr_expect_str_eq(service_of_process(0x3fffffff, service), "none");
}

Test(service, splits_labels)
{
	char name[SERVICE_BYTES];
	const char *glob;

	cr_assert_eq(service_parse_label("shop=*gunicorn shop:app*", name, &glob), 0);
	cr_expect_str_eq(name, "shop");
	cr_expect_str_eq(glob, "*gunicorn shop:app*");
	cr_assert_eq(service_parse_label("a=b=c", name, &glob), 0);
	cr_expect_str_eq(glob, "b=c");
	cr_expect_eq(service_parse_label("shop", name, &glob), -EINVAL);
	cr_expect_eq(service_parse_label("=x", name, &glob), -EINVAL);
	cr_expect_eq(service_parse_label("shop=", name, &glob), -EINVAL);
}

Test(service, reads_command_lines)
{
	char command[4096];

	service_command_line(getpid(), command, sizeof(command));
	cr_expect(*command, "Criterion's worker has a name");
	cr_expect_str_eq(service_command_line(0x3fffffff, command, sizeof(command)), "");
}

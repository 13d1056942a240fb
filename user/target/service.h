/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TARGET_SERVICE_H
#define GENSCOPE_TARGET_SERVICE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * What a process is a part of, in one word that stays the same when it is started anew: its systemd unit, or
 * its container.
 */

#define SERVICE_BYTES 64

/* Out of the text of /proc/PID/cgroup. "shop" of …/shop.service, "docker-0123456789ab" of …/docker-<id>.scope; a
 * container's pod where there is one; "user" of a login's processes; "none" of those in no group. Returns
 * out, of SERVICE_BYTES. */
const char *service_of_cgroup(const char *text, char *out);

/* Of a process, "none" also when it is gone. */
const char *service_of_process(pid_t pid, char *out);

/* NAME=GLOB of --label: a process whose command line (arguments joined by blanks) matches belongs to NAME.
 * Splits `rule` into both; -EINVAL: no name, or no glob. */
int service_parse_label(const char *rule, char *name, const char **glob);

/* The command line of a process as --label matches it; "" when it has none. Returns out. */
const char *service_command_line(pid_t pid, char *out, size_t size);

#endif

// SPDX-License-Identifier: MIT
#include "cmd/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const unsigned kept[] = { CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH };
static const unsigned kept_if_had[] = {
	CAP_CHECKPOINT_RESTORE
}; /* Linux 5.9; a container may be without */

/* What no exporter does. Refused with EPERM, not by death: a library that tries gets an answer. */
static const int refused[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(kill),
	SCMP_SYS(tkill),
	SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	SCMP_SYS(adjtimex),
	SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(keyctl),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(creat),
	SCMP_SYS(truncate),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(link),
	SCMP_SYS(linkat),
	SCMP_SYS(symlink),
	SCMP_SYS(symlinkat),
	SCMP_SYS(mknod),
	SCMP_SYS(mknodat),
	SCMP_SYS(setxattr),
	SCMP_SYS(lsetxattr),
	SCMP_SYS(fsetxattr),
	SCMP_SYS(chown),
	SCMP_SYS(fchown),
	SCMP_SYS(lchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(openat2),
};

static int fail(char *why, const char *what, int err)
{
	snprintf(why, PRIVILEGES_WHY_MAX, "%s: %s", what, strerror(-err));
	return err;
}

/* Who to be: nobody in particular. */
static const struct passwd *find_user(const char *name)
{
	const struct passwd *user;

	if (name)
		return getpwnam(name);
	user = getpwnam("genscope");
	return user ? user : getpwnam("nobody");
}

static void choose_capabilities(void)
{
	bool had[sizeof(kept_if_had) / sizeof(kept_if_had[0])];

	capng_get_caps_process();
	for (size_t i = 0; i < sizeof(had); i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, kept_if_had[i]);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, kept[i]);
	for (size_t i = 0; i < sizeof(had); i++)
		if (had[i])
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, kept_if_had[i]);
}

static int keep_capabilities(const char *name, char *why)
{
	const struct passwd *user = NULL;
	int err;

	choose_capabilities();
	if (!geteuid()) {
		user = find_user(name);
		if (!user) {
			snprintf(why, PRIVILEGES_WHY_MAX, "%s: no such user",
				 name ? name : "nobody");
			return -ENOENT;
		}
	}
	if (user)
		err = capng_change_id((int)user->pw_uid, (int)user->pw_gid,
				      CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING |
					      CAPNG_CLEAR_AMBIENT);
	else
		err = capng_apply(CAPNG_SELECT_CAPS);
	if (err)
		return fail(why, "capabilities cannot be given up", -EPERM);
	return 0;
}

/* Files may be opened to be read; O_RDWR and O_WRONLY are refused, and so is making one. */
static int refuse_writing(scmp_filter_ctx filter)
{
	const struct {
		int call;
		unsigned flags; /* index of the argument */
	} calls[] = { { SCMP_SYS(open), 1 }, { SCMP_SYS(openat), 2 } };
	const unsigned wrong[] = { O_WRONLY, O_RDWR, O_CREAT };
	int err = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && !err; i++) {
		for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]) && !err; k++) {
			unsigned mask = wrong[k] == O_CREAT ? O_CREAT : O_ACCMODE;
			struct scmp_arg_cmp compare = { .arg = calls[i].flags,
							.op = SCMP_CMP_MASKED_EQ,
							.datum_a = mask,
							.datum_b = wrong[k] };

			err = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), calls[i].call,
						     1, &compare);
		}
	}
	return err;
}

static int filter_calls(char *why)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int err = filter ? refuse_writing(filter) : -ENOMEM;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	if (!err)
		err = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return err ? fail(why, "the seccomp filter cannot be loaded", err) : 0;
}

int privileges_drop(const char *user, char *why)
{
	int err = keep_capabilities(user, why);

	if (err)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail(why, "new privileges cannot be forbidden", -errno);
	return filter_calls(why);
}

/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_INTERNAL_H
#define GENSCOPE_SESSION_INTERNAL_H

/* What the files of user/session/ share; nobody else includes it. */

#include "session/budget.h"
#include "session/seed.h"
#include "session/session.h"
#include "session/skeleton.h"

#define LINKS_PER_ATTACHMENT_MAX (FOUND_SITES_MAX + 8) /* single links, and USDT */
#define LATER_MAX                256
#define UNSEEDED_MAX             ATTACHMENTS_MAX
#define LATER_TRIES              5    /* some 150 ms in all, by LATER_FIRST_NS */
#define LATER_TRIES_LOADING      11   /* 10 s: a machine that starts everything at once */
#define STRANGERS_MAX            1021 /* a prime: slots of a table */

/* Probes of one image in one process (pid > 0) or in all of them (pid -1). */
struct attachment {
	struct image_file *image;
	pid_t pid;
	uint32_t number;         /* in its probes' cookies */
	enum budget_level level; /* what it was attached at last */
	bool outermost;          /* its probes are those of outermost steps alone */
	struct bpf_link *links[LINKS_PER_ATTACHMENT_MAX];
	size_t link_count;
};

/* A process that has just executed something: its interpreter may not be mapped yet. */
struct later {
	pid_t pid;
	unsigned tries;
	uint64_t executable; /* what it ran then */
	uint64_t when_ns;
};

struct command {
	pid_t pid;
	bool traced; /* by ptrace, until its interpreter is found */
	bool attached;
	bool ended;
	int status;
};

struct session {
	struct session_options options;
	uint64_t begin_ns; /* CLOCK_MONOTONIC */
	uint32_t surveys;  /* made so far */
	struct features features;
	struct genscope_bpf *skeleton;
	struct ring_buffer *ring;
	struct images images;
	struct attachment **attachments;
	size_t attachment_count, attachment_room;
	enum budget_level level; /* which probes there are; with own_probes what new targets get */
	bool ran_out;            /* of descriptors; it has been told */
	pid_t *targets;          /* alive */
	size_t target_count, target_room;
	struct later later[LATER_MAX];
	size_t later_count;
	uint64_t strangers[STRANGERS_MAX]; /* executables that hold no CPython; see targets.c */
	pid_t unseeded[UNSEEDED_MAX];
	size_t unseeded_count;
	struct seed_counts seeds; /* of all targets */
	bool seeding;
	bool seeded_in_part; /* some objects are not in the map though they are older than the run */
	struct command command;
	const char *cgroup; /* --cgroup: who may become a target later */
	char cgroup_path[4096];
	char coverage[256];
	uint32_t site_count;
	uint32_t next_number;
};

/* attach.c */
int attach_image(struct session *session, struct image_file *image, pid_t pid, char *why);
/* Its probes alone, none of BUDGET_NONE or where an interpreter has none of that level; it is remembered anyway.
 * `why` as in session.h. */
int attachment_attach_at(struct session *session, struct attachment *attachment,
			 enum budget_level level, char *why);
void attachment_detach(struct session *session, struct attachment *attachment);
void detach_process(struct session *session, pid_t pid);
void detach_all(struct session *session);
struct attachment *attachment_of(const struct session *session,
				 pid_t pid); /* its own; NULL: none */
bool is_attached(const struct session *session, const struct image_file *image, pid_t pid);

/* targets.c */
int target_add(struct session *session, pid_t pid);
void target_remove(struct session *session, pid_t pid);
void target_follow(struct session *session, pid_t pid); /* BPF tells of its forks, execs and exit */
bool target_known(const struct session *session, pid_t pid);
void targets_on_event(struct session *session, const struct process_record *record);
void targets_retry_later(struct session *session);

/* Runs one of the forget_… programs; `process` as in the state map's keys. */
void session_forget(const struct bpf_program *program, uint64_t process);

/* The identity under which BPF keeps the process in its maps. -ESRCH, or why it cannot be had. */
int process_identity_of(struct session *session, pid_t pid, uint64_t *process);

/* seed.c */
void seed_later(struct session *session, pid_t pid); /* at the next poll */
void seed_waiting(struct session *session);

bool session_sees_frees(const struct session *session);

/* command.c */
void command_step(struct session *session);

/* session.c */
void session_warn(const struct session *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif

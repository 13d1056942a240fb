// SPDX-License-Identifier: MIT
#include "http/checker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Some 0.6 s of work at bcrypt's usual cost; and fewer than one client may have connections, so that
 * who guesses does not fill all of its places with waiting. */
#define WAITING_MAX 8

struct job {
	struct job *next;
	struct credentials credentials;
	char *hash;
	bool known; /* the hash is this user's */
	checker_done *done;
	void *ctx;
};

struct checker {
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *first, **last; /* who waits */
	unsigned waiting;
	bool stopping;
	struct passwords *passwords;
};

static void job_free(struct job *job)
{
	credentials_wipe(&job->credentials);
	free(job->hash);
	free(job);
}

/* NULL when it is time to end. */
static struct job *next_job(struct checker *checker)
{
	struct job *job = NULL;

	pthread_mutex_lock(&checker->lock);
	while (!checker->first && !checker->stopping)
		pthread_cond_wait(&checker->wake, &checker->lock);
	if (!checker->stopping) {
		job = checker->first;
		checker->first = job->next;
		if (!checker->first)
			checker->last = &checker->first;
		checker->waiting--;
	}
	pthread_mutex_unlock(&checker->lock);
	return job;
}

static void *run(void *ctx)
{
	struct checker *checker = ctx;
	struct job *job;

	pthread_setname_np(pthread_self(), "http-passwords");
	while ((job = next_job(checker))) {
		/* computed for strangers, too: both take as long */
		bool allowed = password_matches(job->hash, job->credentials.password) & job->known;

		if (allowed)
			passwords_remember(checker->passwords, &job->credentials, job->hash);
		job->done(job->ctx, allowed);
		job_free(job);
	}
	return NULL;
}

int checker_new(struct checker **out)
{
	struct checker *checker = calloc(1, sizeof(*checker));
	int err;

	if (!checker)
		return -ENOMEM;
	checker->last = &checker->first;
	pthread_mutex_init(&checker->lock, NULL);
	pthread_cond_init(&checker->wake, NULL);
	err = passwords_new(&checker->passwords);
	if (!err)
		err = -pthread_create(&checker->thread, NULL, run, checker);
	if (err) {
		checker_free(checker);
		return err;
	}
	checker->started = true;
	*out = checker;
	return 0;
}

/* Called with the lock held: what comes before `done` must come before the thread sees the job. */
static enum checker_verdict enqueue(struct checker *checker, struct job *job,
				    void (*before)(void *ctx))
{
	if (checker->stopping)
		return CHECKER_DENIED;
	if (checker->waiting == WAITING_MAX)
		return CHECKER_FULL;
	before(job->ctx);
	*checker->last = job;
	checker->last = &job->next;
	checker->waiting++;
	pthread_cond_signal(&checker->wake);
	return CHECKER_LATER;
}

static enum checker_verdict ask_later(struct checker *checker, const struct job *question,
				      const char *hash, void (*before)(void *ctx))
{
	struct job *job = malloc(sizeof(*job));
	enum checker_verdict verdict;

	if (!job)
		return CHECKER_FULL;
	*job = *question;
	job->hash = strdup(hash);
	if (!job->hash) {
		job_free(job);
		return CHECKER_FULL;
	}
	pthread_mutex_lock(&checker->lock);
	verdict = enqueue(checker, job, before);
	pthread_mutex_unlock(&checker->lock);
	if (verdict != CHECKER_LATER)
		job_free(job);
	return verdict;
}

enum checker_verdict checker_ask(struct checker *checker, const struct web_pairs *users,
				 const char *authorization, void (*before)(void *ctx),
				 checker_done *done, void *ctx)
{
	struct job question = { .done = done, .ctx = ctx };
	enum checker_verdict verdict;
	const char *hash;

	if (!users->count)
		return CHECKER_ALLOWED;
	if (!credentials_parse(authorization, &question.credentials))
		return CHECKER_DENIED;
	hash = passwords_hash(users, question.credentials.user, &question.known);
	if (question.known && passwords_recall(checker->passwords, &question.credentials, hash))
		verdict = CHECKER_ALLOWED;
	else
		verdict = ask_later(checker, &question, hash, before);
	credentials_wipe(&question.credentials);
	return verdict;
}

void checker_stop(struct checker *checker)
{
	struct job *job;

	pthread_mutex_lock(&checker->lock);
	checker->stopping = true;
	pthread_cond_signal(&checker->wake);
	pthread_mutex_unlock(&checker->lock);
	if (checker->started)
		pthread_join(checker->thread, NULL);
	checker->started = false;
	while ((job = checker->first)) {
		checker->first = job->next;
		job->done(job->ctx, false);
		job_free(job);
	}
	checker->last = &checker->first;
}

void checker_free(struct checker *checker)
{
	if (!checker)
		return;
	passwords_free(checker->passwords);
	pthread_cond_destroy(&checker->wake);
	pthread_mutex_destroy(&checker->lock);
	free(checker);
}

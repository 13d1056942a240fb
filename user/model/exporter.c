// SPDX-License-Identifier: MIT
#include "model/exporter.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/by_id.h"

/* What BPF keeps has buckets of 32 bits, which may wrap in the life of a process: what is added to a series is
 * what has come since the last reading, group by group. */
struct reading {
	uint32_t groups[EXPORTER_METRICS][EXPONENTIAL_BOUNDS + 1];
	uint64_t sum_ns[EXPORTER_METRICS];
	uint64_t to[STATE_COUNT], outermost, never_awaited, slow;
};

/* A function of a service. */
struct function {
	struct exporter_series series; /* what is published, when it has a series of its own */
	struct exporter_counts before; /* what had been counted until then: it stays in "other" */
	bool published;
	bool other;         /* the series "other" itself: it ends with its service */
	uint32_t codes;     /* code objects alive */
	uint64_t use, used; /* steps since the beginning, and at the last promotion */
	uint64_t waiting;   /* the difference, while candidates are sorted */
	bool touched;       /* objects were added in this round */
	bool seen;          /* what it has counted was published in "other" */
	bool overflowed;    /* it was refused a series of its own once */
};

struct code {
	struct function *function; /* NULL: no such code */
	uint32_t pid;
	double outermost;     /* the share of its steps that are outermost ones */
	uint64_t transitions; /* exporter_is_news() */
	struct reading last;
};

struct exporter {
	size_t max_series, published;
	uint64_t overflowed;
	void *tree; /* of struct function, by tsearch(); owned by `functions` */
	struct function **functions;
	size_t count, room;
	struct by_id codes;
	struct code unplaced; /* id 0 */
	struct exporter_gc *gc;
	size_t gc_count;
	uint32_t dice; /* of scaled() */
};

int exporter_new(size_t max_series, struct exporter **out)
{
	struct exporter *exporter = calloc(1, sizeof(*exporter));

	if (!exporter)
		return -ENOMEM;
	exporter->max_series = max_series;
	*out = exporter;
	return 0;
}

static void keep(void *node)
{
	(void)node;
}

static void function_free(struct function *function)
{
	free((char *)function->series.service);
	free((char *)function->series.function);
	free(function);
}

struct going {
	uint32_t pid;
	void (*each)(void *ctx, uint32_t code);
	void *ctx;
};

/* Those of a process that goes, if one is given. */
static bool code_goes(void *ctx, uint32_t id, void *value)
{
	const struct going *going = ctx;
	struct code *code = value;

	if (going && code->pid != going->pid)
		return false;
	if (going && going->each)
		going->each(going->ctx, id);
	code->function->codes--;
	free(code);
	return true;
}

void exporter_free(struct exporter *exporter)
{
	if (!exporter)
		return;
	by_id_filter(&exporter->codes, code_goes, NULL);
	by_id_free(&exporter->codes);
	tdestroy(exporter->tree, keep);
	for (size_t i = 0; i < exporter->count; i++)
		function_free(exporter->functions[i]);
	for (size_t i = 0; i < exporter->gc_count; i++)
		free((char *)exporter->gc[i].service);
	free(exporter->gc);
	free(exporter->functions);
	free(exporter);
}

/* --- functions --- */

static int compare(const void *left, const void *right)
{
	const struct function *a = left, *b = right;
	int order = strcmp(a->series.service, b->series.service);

	if (!order)
		order = a->series.kind - b->series.kind;
	if (!order)
		order = a->other - b->other;
	return order ? order : strcmp(a->series.function, b->series.function);
}

static struct function *make_function(struct exporter *exporter, const struct function *key,
				      uint64_t now_ns)
{
	struct function *function = calloc(1, sizeof(*function));
	struct function **grown;

	if (!function)
		return NULL;
	function->series.service = strdup(key->series.service);
	function->series.function = strdup(key->series.function);
	function->series.kind = key->series.kind;
	function->series.created_ns = now_ns;
	function->other = function->published = key->other;
	if (exporter->count == exporter->room) {
		size_t room = exporter->room ? 2 * exporter->room : 256;

		grown = reallocarray(exporter->functions, room, sizeof(struct function *));
		if (!grown)
			goto out_of_memory;
		exporter->functions = grown;
		exporter->room = room;
	}
	if (!function->series.service || !function->series.function ||
	    !tsearch(function, &exporter->tree, compare))
		goto out_of_memory;
	exporter->functions[exporter->count++] = function;
	return function;

out_of_memory:
	function_free(function);
	return NULL;
}

static struct function *find_function(struct exporter *exporter, const char *service, uint8_t kind,
				      const char *name, bool other, uint64_t now_ns)
{
	struct function key = { .series = { .service = service, .kind = kind, .function = name },
				.other = other };
	struct function **found = tfind(&key, &exporter->tree, compare);

	return found ? *found : make_function(exporter, &key, now_ns);
}

/* "file:qualname" of a service, and the "other" that it begins in. */
static struct function *function_of(struct exporter *exporter, const char *service, uint8_t kind,
				    const char *file, const char *qualname, uint64_t now_ns)
{
	struct function *function = NULL;
	char *name;

	if (asprintf(&name, "%s:%s", file, qualname) < 0)
		return NULL;
	if (find_function(exporter, service, kind, EXPORTER_OTHER, true, now_ns))
		function = find_function(exporter, service, kind, name, false, now_ns);
	free(name);
	return function;
}

/* --- code objects --- */

int exporter_add(struct exporter *exporter, uint32_t id, uint32_t pid, const char *service,
		 uint8_t kind, const char *file, const char *qualname, uint64_t now_ns)
{
	struct function *function;
	struct code *code, *before;

	if (!id || kind == KIND_NONE || kind >= KIND_COUNT)
		return -EINVAL;
	function = function_of(exporter, service, kind, file, qualname, now_ns);
	code = calloc(1, sizeof(*code));
	before = by_id_get(&exporter->codes, id);
	if (!function || !code || by_id_put(&exporter->codes, id, code)) {
		free(code);
		return -ENOMEM;
	}
	if (before)
		before->function->codes--;
	free(before);
	code->function = function;
	code->pid = pid;
	function->codes++;
	return 0;
}

static const struct code *code_of(const struct exporter *exporter, uint32_t id)
{
	return by_id_get(&exporter->codes, id);
}

struct telling {
	uint32_t pid;
	void (*each)(void *ctx, uint32_t code, uint32_t pid);
	void *ctx;
};

static void tell_code(void *ctx, uint32_t id, void *value)
{
	const struct telling *telling = ctx;
	const struct code *code = value;

	if (!telling->pid || code->pid == telling->pid)
		telling->each(telling->ctx, id, code->pid);
}

void exporter_each_code(const struct exporter *exporter, uint32_t pid,
			void (*each)(void *ctx, uint32_t code, uint32_t pid), void *ctx)
{
	struct telling telling = { .pid = pid, .each = each, .ctx = ctx };

	by_id_each(&exporter->codes, tell_code, &telling);
}

void exporter_remove(struct exporter *exporter, uint32_t pid,
		     void (*each)(void *ctx, uint32_t code), void *ctx)
{
	struct going going = { .pid = pid, .each = each, .ctx = ctx };

	by_id_filter(&exporter->codes, code_goes, &going);
}

/* --- readings --- */

/* Rounded up as often as its fraction says, at random: always to the nearest would add up to another number. */
static uint64_t scaled(struct exporter *exporter, uint64_t count, double scale)
{
	double product = (double)count * scale;

	if (!count || scale <= 1)
		return count;
	/* the constants are those of POSIX' rand() example: this has only to be even */
	exporter->dice = exporter->dice * 1103515245 + 12345;
	return (uint64_t)(product + (double)(exporter->dice >> 16) / (UINT16_MAX + 1.0));
}

static void add_histogram(struct exporter *exporter, struct exponential *to, uint32_t *last,
			  uint64_t *last_sum, const struct histogram *now, double scale)
{
	struct exponential groups = {};

	exponential_add(&groups, now);
	for (unsigned i = 0; i <= EXPONENTIAL_BOUNDS; i++) {
		uint32_t group = (uint32_t)groups.counts[i];

		to->counts[i] += scaled(exporter, (uint32_t)(group - last[i]), scale);
		last[i] = group;
	}
	to->sum_ns += scaled(exporter, now->sum_ns - *last_sum, scale);
	*last_sum = now->sum_ns;
}

static void add_count(struct exporter *exporter, uint64_t *to, uint64_t *last, uint64_t now,
		      double scale)
{
	*to += scaled(exporter, now - *last, scale);
	*last = now;
}

/* What the steps stand for that a code object has made since the last reading: as many of them are outermost as have
 * begun so. */
static double scale_of_steps(struct code *code, const struct distributions *now,
			     const struct unseen_scale *scale)
{
	struct reading *last = &code->last;
	uint64_t begun = now->to[STATE_RUNNING] - last->to[STATE_RUNNING];

	if (begun)
		code->outermost = (double)(now->outermost - last->outermost) / (double)begun;
	last->outermost = now->outermost;
	return code->outermost * scale->outermost + (1 - code->outermost) * scale->inner;
}

static void read_code(struct exporter *exporter, struct code *code, const struct distributions *now,
		      const struct unseen_scale *scale)
{
	double steps = scale_of_steps(code, now, scale), inner = scale->inner;
	const struct {
		enum metric metric;
		double scale;
	} metrics[EXPORTER_METRICS] = {
		[EXPORTER_RUN] = { METRIC_RUN, steps },
		[EXPORTER_SUSPENDED] = { METRIC_SUSPENDED, steps },
		[EXPORTER_START] = { METRIC_START, inner },
		[EXPORTER_LIFETIME] = { METRIC_LIFETIME, inner },
	};
	struct exporter_counts *counts = &code->function->series.counts;
	struct reading *last = &code->last;

	for (int i = 0; i < EXPORTER_METRICS; i++)
		add_histogram(exporter, &counts->times[i], last->groups[i], &last->sum_ns[i],
			      &now->metric[metrics[i].metric], metrics[i].scale);
	for (int state = 0; state < STATE_COUNT; state++) {
		bool is_step =
			state == STATE_RUNNING || state == STATE_SUSPENDED || state == STATE_CLOSED;

		code->function->use += now->to[state] - last->to[state];
		add_count(exporter, &counts->to[state], &last->to[state], now->to[state],
			  is_step ? steps : inner);
	}
	add_count(exporter, &counts->never_awaited, &last->never_awaited, now->never_awaited,
		  inner);
	add_count(exporter, &counts->slow, &last->slow, now->slow, scale->outermost);
	if (now->slow_at_ns > code->function->series.slow.at_ns)
		code->function->series.slow = (struct exporter_slow){ .id = now->slow_id,
								      .run_ns = now->slow_run_ns,
								      .at_ns = now->slow_at_ns };
}

void exporter_read(struct exporter *exporter, uint32_t id, const struct distributions *now,
		   const struct unseen_scale *scale)
{
	struct code *code = (struct code *)code_of(exporter, id);

	if (!id) {
		code = &exporter->unplaced;
		if (!code->function && now->to[STATE_RUNNING])
			code->function = find_function(exporter, EXPORTER_OTHER, KIND_NONE,
						       EXPORTER_OTHER, true, 0);
	}
	if (code && code->function)
		read_code(exporter, code, now, scale);
}

bool exporter_is_news(struct exporter *exporter, uint32_t id, uint64_t transitions)
{
	struct code *code = by_id_get(&exporter->codes, id);
	bool news = code && code->transitions != transitions;

	if (news)
		code->transitions = transitions;
	return news;
}

/* --- objects --- */

void exporter_begin_objects(struct exporter *exporter)
{
	for (size_t i = 0; i < exporter->count; i++) {
		exporter->functions[i]->series.objects = (struct exporter_objects){};
		exporter->functions[i]->touched = false;
	}
}

static void older(uint64_t *since_ns, uint64_t other_ns)
{
	if (other_ns && (!*since_ns || other_ns < *since_ns))
		*since_ns = other_ns;
}

void exporter_set_objects(struct exporter *exporter, uint32_t id,
			  const struct survey_counts *counts)
{
	const struct code *code = code_of(exporter, id);
	struct exporter_objects *objects;

	if (!code)
		return;
	objects = &code->function->series.objects;
	for (int state = 0; state < STATE_COUNT; state++) {
		objects->count[state] += counts->objects[state];
		code->function->use += counts->objects[state]; /* what only waits is of use too */
	}
	older(&objects->suspended_since_ns, counts->suspended_ns);
}

int exporter_add_objects(struct exporter *exporter, const char *service, uint8_t kind,
			 const char *file, const char *qualname, uint8_t state, uint64_t count,
			 uint64_t since_ns, uint64_t now_ns)
{
	struct function *function = function_of(exporter, service, kind, file, qualname, now_ns);

	if (!function)
		return -ENOMEM;
	function->touched = true;
	function->use += count; /* without probes what is alive is what is used */
	function->series.objects.count[state] += count;
	if (state == STATE_SUSPENDED)
		older(&function->series.objects.suspended_since_ns, since_ns);
	return 0;
}

/* --- series --- */

static int by_use(const void *left, const void *right)
{
	const struct function *a = *(struct function *const *)left;
	const struct function *b = *(struct function *const *)right;

	if (a->waiting != b->waiting)
		return a->waiting > b->waiting ? -1 : 1;
	return compare(a, b);
}

void exporter_promote(struct exporter *exporter, uint64_t now_ns)
{
	struct function **candidates = calloc(exporter->count + 1, sizeof(void *));
	size_t count = 0;

	for (size_t i = 0; i < exporter->count; i++) {
		struct function *function = exporter->functions[i];

		function->waiting = function->use - function->used;
		function->used = function->use;
		if (candidates && !function->published && function->waiting)
			candidates[count++] = function;
	}
	if (count)
		qsort(candidates, count, sizeof(void *), by_use);
	for (size_t i = 0; i < count; i++) {
		if (exporter->published >= exporter->max_series) {
			exporter->overflowed += !candidates[i]->overflowed;
			candidates[i]->overflowed = true;
			continue;
		}
		candidates[i]->published = true;
		if (candidates[i]->seen) {
			candidates[i]->before = candidates[i]->series.counts;
			candidates[i]->series.created_ns = now_ns;
		}
		exporter->published++;
	}
	free(candidates);
}

uint64_t exporter_overflow(const struct exporter *exporter)
{
	return exporter->overflowed;
}

static void add_counts(struct exporter_counts *to, const struct exporter_counts *from)
{
	for (int i = 0; i < EXPORTER_METRICS; i++)
		exponential_merge(&to->times[i], &from->times[i]);
	for (int state = 0; state < STATE_COUNT; state++)
		to->to[state] += from->to[state];
	to->never_awaited += from->never_awaited;
	to->slow += from->slow;
}

static void subtract_counts(struct exporter_counts *from, const struct exporter_counts *what)
{
	for (int i = 0; i < EXPORTER_METRICS; i++) {
		for (unsigned k = 0; k <= EXPONENTIAL_BOUNDS; k++)
			from->times[i].counts[k] -= what->times[i].counts[k];
		from->times[i].sum_ns -= what->times[i].sum_ns;
	}
	for (int state = 0; state < STATE_COUNT; state++)
		from->to[state] -= what->to[state];
	from->never_awaited -= what->never_awaited;
	from->slow -= what->slow;
}

static void add_objects(struct exporter_objects *to, const struct exporter_objects *from)
{
	for (int state = 0; state < STATE_COUNT; state++)
		to->count[state] += from->count[state];
	older(&to->suspended_since_ns, from->suspended_since_ns);
}

static int in_order(const void *left, const void *right)
{
	return compare(*(struct function *const *)left, *(struct function *const *)right);
}

/* What functions without a series of their own have, and what those with one had before. */
static struct exporter_series other_series(const struct exporter *exporter,
					   const struct function *other, size_t first)
{
	struct exporter_series series = other->series;

	for (size_t i = first; i-- > 0;) {
		const struct function *function = exporter->functions[i];

		if (function->series.kind != other->series.kind ||
		    strcmp(function->series.service, other->series.service) != 0)
			break;
		if (function->published) {
			add_counts(&series.counts, &function->before);
			continue;
		}
		add_counts(&series.counts, &function->series.counts);
		add_objects(&series.objects, &function->series.objects);
		if (function->series.slow.at_ns > series.slow.at_ns)
			series.slow = function->series.slow;
	}
	return series;
}

/* Of services that have no functions left. */
static void drop_dead_gc(struct exporter *exporter)
{
	size_t kept = 0;

	for (size_t i = 0; i < exporter->gc_count; i++) {
		bool alive = false;

		for (size_t k = 0; k < exporter->count && !alive; k++)
			alive = !strcmp(exporter->functions[k]->series.service,
					exporter->gc[i].service);
		if (alive)
			exporter->gc[kept++] = exporter->gc[i];
		else
			free((char *)exporter->gc[i].service);
	}
	exporter->gc_count = kept;
}

/* What it counted in "other" stays there. */
void exporter_scraped(struct exporter *exporter)
{
	struct function *other = NULL;
	size_t kept = 0;

	for (size_t i = exporter->count; i-- > 0;) { /* "other" comes last of its kind */
		struct function *function = exporter->functions[i];

		if (function->other) {
			other = function;
			function->codes = 0; /* counted anew: what begins in it */
		} else if (!other) {         /* never: each kind of a service has one */
			continue;
		} else if (function->codes || function->touched) {
			other->codes++;
		} else {
			add_counts(&other->series.counts, function->published ?
								  &function->before :
								  &function->series.counts);
		}
	}
	for (size_t i = 0; i < exporter->count; i++) {
		struct function *function = exporter->functions[i];

		if (function->codes || function->touched ||
		    function == exporter->unplaced.function) {
			exporter->functions[kept++] = function;
			continue;
		}
		exporter->published -= function->published && !function->other;
		tdelete(function, &exporter->tree, compare);
		function_free(function);
	}
	exporter->count = kept;
	drop_dead_gc(exporter);
}

int exporter_add_gc(struct exporter *exporter, const char *service, uint64_t ns, uint64_t now_ns)
{
	struct exporter_gc *grown;
	size_t i = 0;

	while (i < exporter->gc_count && strcmp(exporter->gc[i].service, service) != 0)
		i++;
	if (i == exporter->gc_count) {
		grown = reallocarray(exporter->gc, i + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		exporter->gc = grown;
		grown[i] = (struct exporter_gc){ .service = strdup(service), .created_ns = now_ns };
		if (!grown[i].service)
			return -ENOMEM;
		exporter->gc_count++;
	}
	exponential_record(&exporter->gc[i].pauses, ns);
	return 0;
}

int exporter_collect(struct exporter *exporter, struct exporter_page *out)
{
	*out = (struct exporter_page){ .at = calloc(exporter->count + 1, sizeof(*out->at)),
				       .gc = exporter->gc,
				       .gc_count = exporter->gc_count };
	if (!out->at)
		return -ENOMEM;
	if (exporter->count)
		qsort(exporter->functions, exporter->count, sizeof(struct function *), in_order);
	for (size_t i = 0; i < exporter->count; i++) {
		struct function *function = exporter->functions[i];
		struct exporter_series series = function->series;

		function->seen = true;
		if (function->other)
			series = other_series(exporter, function, i);
		else if (!function->published)
			continue;
		else
			subtract_counts(&series.counts, &function->before);
		out->at[out->count++] = series;
	}
	return 0;
}

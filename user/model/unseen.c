// SPDX-License-Identifier: MIT
#include "model/unseen.h"

#define STRETCH_MAX 10.0 /* of a window that goes on: what it may be asked to stand for */
#define WAITS_MAX   3

/* So many times itself does what was seen stand for. */
static double stretch(double seen_ns, double missing_ns)
{
	return seen_ns > 0 ? (seen_ns + missing_ns) / seen_ns : 1;
}

static bool is_too_little(double seen_ns, double missing_ns)
{
	return missing_ns > seen_ns * (STRETCH_MAX - 1);
}

static double at_most(double scale, double most)
{
	return scale < most ? scale : most;
}

bool unseen_read(struct unseen *unseen, const struct unseen_work *now, bool ends,
		 struct unseen_scale *out)
{
	double all = (double)(now->all_ns - unseen->last.all_ns);
	double outermost = (double)(now->outermost_ns - unseen->last.outermost_ns);
	double none = (double)(now->none_ns - unseen->last.none_ns);
	double steps_seen = all + outermost, steps_missing = unseen->outermost_ns + none;
	double inner_missing = unseen->inner_ns + none + outermost;
	/* while outermost steps alone are seen, the rest can only wait */
	bool too_little = is_too_little(steps_seen, steps_missing) ||
			  (all > 0 && is_too_little(all, inner_missing));

	if (!ends && too_little && unseen->waits < WAITS_MAX) {
		unseen->waits++;
		return false;
	}
	*out = (struct unseen_scale){ .outermost = stretch(steps_seen, steps_missing),
				      .inner = stretch(all, inner_missing) };
	if (!ends) {
		out->outermost = at_most(out->outermost, STRETCH_MAX);
		out->inner = at_most(out->inner, STRETCH_MAX);
	}
	unseen->last = *now;
	unseen->outermost_ns = steps_seen > 0 ? 0 : steps_missing;
	unseen->inner_ns = all > 0 ? 0 : inner_missing;
	unseen->waits = 0;
	return true;
}

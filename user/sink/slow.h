/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_SLOW_H
#define GENSCOPE_SINK_SLOW_H

#include "model/repeats.h"
#include "model/slow.h"
#include "model/suspects.h"
#include "sink/sink.h"

/*
 * Slow steps and suspects, for people and as JSON Lines. Of the sink they take the writer, the clock and the
 * colour. `thread` is the name of the step's thread, NULL when it is not known.
 */

void slow_text_step(struct sink *sink, const struct slow_step *step, const char *thread);
void slow_text_suspect(struct sink *sink, const struct suspect *suspect);
/* More of a place whose first ones have been told. */
void slow_text_repeat(struct sink *sink, uint64_t ts_ns, const struct repeat *repeat);

void slow_json_step(struct sink *sink, const struct slow_step *step, const char *thread);
void slow_json_suspect(struct sink *sink, const struct suspect *suspect);

#endif

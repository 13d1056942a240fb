// SPDX-License-Identifier: MIT
#include "sink/canvas.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/cells.h"

#define FIRST_ROOM  32
#define PRINTF_SIZE 1024

struct canvas {
	unsigned width;
	bool utf8;
	int error;
	struct canvas_line *lines;
	size_t count, room;
	/* the line that is being written */
	struct writer text; /* has no file: what it holds is the line so far */
	struct canvas_piece pieces[CANVAS_PIECES_MAX];
	unsigned piece_count, columns;
};

int canvas_new(struct canvas **out, unsigned width, bool utf8)
{
	struct canvas *canvas = calloc(1, sizeof(*canvas));

	if (!canvas)
		return -ENOMEM;
	if (writer_open(&canvas->text, NULL)) {
		free(canvas);
		return -ENOMEM;
	}
	canvas->text.fd = -1;
	canvas->width = width;
	canvas->utf8 = utf8;
	*out = canvas;
	return 0;
}

void canvas_free(struct canvas *canvas)
{
	if (!canvas)
		return;
	for (size_t i = 0; i < canvas->count; i++) {
		free(canvas->lines[i].text);
		free(canvas->lines[i].pieces);
	}
	free(canvas->lines);
	canvas->text.used = 0;
	writer_close(&canvas->text);
	free(canvas);
}

int canvas_error(const struct canvas *canvas)
{
	return canvas->error;
}

unsigned canvas_width(const struct canvas *canvas)
{
	return canvas->width;
}

bool canvas_utf8(const struct canvas *canvas)
{
	return canvas->utf8;
}

unsigned canvas_left(const struct canvas *canvas)
{
	return canvas->width - canvas->columns;
}

/* --- the line that is being written ---------------------------------------------------------------- */

static void begin_piece(struct canvas *canvas, uint8_t style)
{
	unsigned count = canvas->piece_count;

	if (count == CANVAS_PIECES_MAX || (count && canvas->pieces[count - 1].style == style))
		return;
	canvas->pieces[canvas->piece_count++] = (struct canvas_piece){ .column = canvas->columns,
								       .begin = canvas->text.used,
								       .style = style };
}

static unsigned limit(const struct canvas *canvas, unsigned width)
{
	return width < canvas_left(canvas) ? width : canvas_left(canvas);
}

void canvas_cell(struct canvas *canvas, uint8_t style, const char *text, unsigned width,
		 unsigned flags)
{
	width = limit(canvas, width);
	if (!width)
		return;
	begin_piece(canvas, style);
	cell_put_in(&canvas->text, text, width, flags & ~(CELL_WHOLE | CELL_NO_PAD), canvas->utf8);
	canvas->columns += width;
}

void canvas_put(struct canvas *canvas, uint8_t style, const char *text)
{
	canvas_cell(canvas, style, text, cell_width(text, canvas->utf8), 0);
}

void canvas_printf(struct canvas *canvas, uint8_t style, const char *format, ...)
{
	char text[PRINTF_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	canvas_put(canvas, style, text);
}

void canvas_place(struct canvas *canvas, uint8_t style, const char *path, uint32_t line,
		  unsigned width)
{
	char number[16];

	width = limit(canvas, width);
	if (width < (unsigned)snprintf(number, sizeof(number), "…:%u", line)) {
		canvas_blanks(canvas, width); /* half a line number would be another one */
		return;
	}
	begin_piece(canvas, style);
	cell_put_place(&canvas->text, path, line, width, 0, canvas->utf8);
	canvas->columns += width;
}

void canvas_bar(struct canvas *canvas, uint8_t style, double share, unsigned width)
{
	unsigned used;

	width = limit(canvas, width);
	if (!width)
		return;
	begin_piece(canvas, style);
	used = cell_put_bar(&canvas->text, share, width, canvas->utf8);
	canvas->columns += used;
	canvas_blanks(canvas, width - used);
}

void canvas_blanks(struct canvas *canvas, unsigned columns)
{
	columns = limit(canvas, columns);
	if (!columns)
		return;
	begin_piece(canvas, STYLE_PLAIN);
	cell_pad(&canvas->text, columns);
	canvas->columns += columns;
}

void canvas_to(struct canvas *canvas, unsigned column)
{
	if (column > canvas->columns)
		canvas_blanks(canvas, column - canvas->columns);
}

/* --- lines ----------------------------------------------------------------------------------------- */

static struct canvas_line *add_line(struct canvas *canvas)
{
	if (canvas->count == canvas->room) {
		size_t room = canvas->room ? canvas->room * 2 : FIRST_ROOM;
		struct canvas_line *lines = reallocarray(canvas->lines, room, sizeof(*lines));

		if (!lines)
			return NULL;
		canvas->lines = lines;
		canvas->room = room;
	}
	canvas->lines[canvas->count] = (struct canvas_line){};
	return &canvas->lines[canvas->count++];
}

/* Text of no width at all can be longer than the writer's buffer, which then begins anew. */
static void drop_lost_text(struct canvas *canvas)
{
	if (!canvas->text.error)
		return;
	canvas->text.error = 0;
	canvas->text.used = 0;
	canvas->piece_count = 0;
	canvas->columns = 0;
}

void canvas_end(struct canvas *canvas, uint8_t style)
{
	struct canvas_line *line;

	drop_lost_text(canvas);
	line = add_line(canvas);
	if (line) {
		size_t size = canvas->piece_count * sizeof(canvas->pieces[0]);

		line->text = strndup(canvas->text.buffer, canvas->text.used);
		line->pieces = malloc(size + 1);
		line->columns = canvas->columns;
		line->style = style;
		if (line->text && line->pieces) {
			line->piece_count = canvas->piece_count;
			memcpy(line->pieces, canvas->pieces, size);
		}
	}
	if (!line || !line->text || !line->pieces)
		canvas->error = -ENOMEM;
	canvas->text.used = 0;
	canvas->piece_count = 0;
	canvas->columns = 0;
}

size_t canvas_count(const struct canvas *canvas)
{
	return canvas->count;
}

const struct canvas_line *canvas_line(const struct canvas *canvas, size_t at)
{
	return &canvas->lines[at];
}

void canvas_take(struct canvas *canvas, struct canvas *from, size_t first, size_t count)
{
	if (from->error)
		canvas->error = from->error;
	for (size_t i = first; i < from->count && i - first < count; i++) {
		struct canvas_line *line = add_line(canvas);

		if (!line) {
			canvas->error = -ENOMEM;
			return;
		}
		*line = from->lines[i];
		from->lines[i] = (struct canvas_line){};
	}
}

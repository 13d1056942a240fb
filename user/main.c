// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "ps", cmd_ps, "show every generator and coroutine of a process, and what it awaits" },
	{ "trace", cmd_trace, "stream every state change of generators and coroutines" },
	{ "top", cmd_top, "watch functions on a live screen, and look into one" },
	{ "latency", cmd_latency, "show how long functions ran and waited, as distributions" },
	{ "slow", cmd_slow,
	  "show the steps that held their thread too long, why, and leak suspects" },
	{ "record", cmd_record, "write every state change into a file, for later" },
	{ "report", cmd_report, "show a recording: as tables, lines, or for Perfetto" },
	{ "export", cmd_export, "serve metrics to Prometheus, of every CPython on the machine" },
	{ "doctor", cmd_doctor, "say what can be traced here, how, and what is missing" },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
	fputs("Usage: genscope COMMAND [OPTION...]\n"
	      "Live tracer for CPython's generators, coroutines and async generators: from "
	      "outside,\n"
	      "without restarting or touching the program.\n\n",
	      out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	fputs("\n"
	      "  genscope ps --tree -p 1234              what is suspended, and on what\n"
	      "  genscope trace -p 1234                  watch a running process\n"
	      "  genscope trace -k coroutine -f 'Api.*' -p 1234\n"
	      "  genscope trace --json -o trace.jsonl -- python3 app.py\n"
	      "  genscope top -p 1234                    what lives, changes and waits, live\n"
	      "  genscope latency -d 10s -p 1234         where the time goes, by function\n"
	      "  genscope slow --over 50ms -p 1234       who blocks the event loop, and why\n"
	      "  genscope record -o app.rec -p 1234      record now,\n"
	      "  genscope report app.rec                 look later\n"
	      "  genscope doctor -p 1234                 can it be traced? how?\n\n"
	      "genscope COMMAND --help has each command's options; man genscope has the rest.\n",
	      out);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		complain("no command: genscope --help lists them");
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		print_version();
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(stdout);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	complain("'%s' is no command: genscope --help lists them", argv[1]);
	return EXIT_USAGE;
}

/* steps OUT PROGRAM [ARGUMENT...]: runs PROGRAM one instruction at a time, and writes
 * to OUT the address of each that it had not run before, in hexadecimal, in order.
 * For programs that are not relocated: addresses below LIMIT. */
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT (64 << 20)
static unsigned char seen[LIMIT];

int main(int count, char **words)
{
	FILE *out;
	pid_t child;
	int status;

	if (count < 3 || !(out = fopen(words[1], "w"))) {
		fprintf(stderr, "usage: steps OUT PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	child = fork();
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execv(words[2], words + 2);
		_exit(127);
	}
	while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		struct user_regs_struct registers;
		int signal = WSTOPSIG(status);

		ptrace(PTRACE_GETREGS, child, 0, &registers);
		if (registers.rip < LIMIT && !seen[registers.rip]) {
			seen[registers.rip] = 1;
			fprintf(out, "%llx\n", registers.rip);
		}
		ptrace(PTRACE_SINGLESTEP, child, 0, signal == SIGTRAP ? 0 : signal);
	}
	fclose(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

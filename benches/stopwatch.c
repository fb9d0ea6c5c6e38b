/*
 * stopwatch [-r ROOT] PROGRAM ARGUMENT...: runs one program and prints
 * "status wall_ns cpu_us maxrss_kib" on stdout; the program's own stdout goes
 * to stderr. It is a small static program because a child starts with its
 * parent's peak memory on its account (fs/exec.c, exec_mmap), and because the
 * benchmark's own size must not make every fork slower.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long microseconds(struct timeval time)
{
	return time.tv_sec * 1000000LL + time.tv_usec;
}

static void become(const char *root, char **command)
{
	if (root && (chroot(root) || chdir("/")))
		_exit(126);
	dup2(2, 1);
	execv(command[0], command);
	_exit(127);
}

static int measure(const char *root, char **command)
{
	long long start = nanoseconds(), wall;
	struct rusage usage;
	int status;
	pid_t child = vfork();

	if (child == 0)
		become(root, command);
	if (child < 0 || wait4(child, &status, 0, &usage) < 0)
		return 2;
	wall = nanoseconds() - start;
	printf("%d %lld %lld %ld\n",
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
	       wall, microseconds(usage.ru_utime) + microseconds(usage.ru_stime),
	       usage.ru_maxrss);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "-r"))
		return measure(argv[2], argv + 3);
	return argc > 1 ? measure(NULL, argv + 1) : 2;
}

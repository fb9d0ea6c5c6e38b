/*
 * holder [NAMESPACE]: stands for a container's first process. Without an
 * argument it makes a network namespace and sets lo up, as runc and crun do;
 * with one it enters the namespace of that path. Writes one line when it is
 * there and sleeps until it is killed, at the latest when its parent ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int make_namespace(void)
{
	struct ifreq lo;
	int fd;

	if (unshare(CLONE_NEWNET))
		return -1;
	memset(&lo, 0, sizeof lo);
	strcpy(lo.ifr_name, "lo");
	lo.ifr_flags = IFF_UP;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		return -1;
	return close(fd);
}

static int enter_namespace(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		return -1;
	return close(fd);
}

int main(int argc, char **argv)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return 1;
	if (argc > 1 ? enter_namespace(argv[1]) : make_namespace())
		return 1;
	if (write(1, "\n", 1) != 1)
		return 1;
	close(0);
	close(1);
	for (;;)
		pause();
}

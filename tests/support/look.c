/* The workload that looks once: what does the first instruction of a container
 * find? Prints links, addresses of both families, IPv4 default routes and the
 * address that packets to elsewhere come from, one per line, and ends;
 * with any argument it stays until SIGTERM. Static, so that it needs no root
 * filesystem, and it reads before it does anything else. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void link_line(const struct ifaddrs *i)
{
	const unsigned char *m = ((struct sockaddr_ll *)i->ifa_addr)->sll_addr;
	struct ifreq r = { 0 };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strncpy(r.ifr_name, i->ifa_name, IFNAMSIZ - 1);
	ioctl(s, SIOCGIFMTU, &r);
	close(s);
	/* IFF_RUNNING is the kernel's word for operstate up (or unknown). */
	printf("link %s %s %s %02x:%02x:%02x:%02x:%02x:%02x mtu %d\n", i->ifa_name,
	       i->ifa_flags & IFF_UP ? "up" : "down",
	       i->ifa_flags & IFF_RUNNING ? "running" : "not-running",
	       m[0], m[1], m[2], m[3], m[4], m[5], r.ifr_mtu);
}

static void address_line(const struct ifaddrs *i)
{
	char address[INET_ADDRSTRLEN], broadcast[INET_ADDRSTRLEN] = "none";

	inet_ntop(AF_INET, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, address, sizeof address);
	if (i->ifa_flags & IFF_BROADCAST && i->ifa_broadaddr)
		inet_ntop(AF_INET, &((struct sockaddr_in *)i->ifa_broadaddr)->sin_addr, broadcast,
			  sizeof broadcast);
	printf("addr %s %s/%d brd %s\n", i->ifa_name, address,
	       __builtin_popcount(((struct sockaddr_in *)i->ifa_netmask)->sin_addr.s_addr), broadcast);
}

/* Without those of the link, which come by themselves. "tentative" would be an
 * address that no socket can be bound to. */
static void address6_line(const struct ifaddrs *i)
{
	const struct sockaddr_in6 *own = (struct sockaddr_in6 *)i->ifa_addr;
	const unsigned char *mask = ((struct sockaddr_in6 *)i->ifa_netmask)->sin6_addr.s6_addr;
	char address[INET6_ADDRSTRLEN];
	struct sockaddr_in6 bound = *own;
	int bits = 0, s = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!IN6_IS_ADDR_LINKLOCAL(&own->sin6_addr)) {
		for (int n = 0; n < 16; n++)
			bits += __builtin_popcount(mask[n]);
		inet_ntop(AF_INET6, &own->sin6_addr, address, sizeof address);
		printf("addr6 %s %s/%d %s\n", i->ifa_name, address, bits,
		       bind(s, (struct sockaddr *)&bound, sizeof bound) ? "tentative" : "bound");
	}
	close(s);
}

static void default_route_lines(void)
{
	char line[256], name[IFNAMSIZ], via[INET_ADDRSTRLEN];
	unsigned destination, gateway, flags, metric, mask;
	FILE *f = fopen("/proc/net/route", "re");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "%15s %x %x %x %*d %*d %u %x", name, &destination, &gateway, &flags,
			   &metric, &mask) == 6 && !destination && !mask) {
			inet_ntop(AF_INET, &gateway, via, sizeof via);
			printf("route default via %s dev %s metric %u\n", via, name, metric);
		}
	if (f)
		fclose(f);
}

/* By whatever table and rule; nothing is sent. */
static void way_line(void)
{
	struct sockaddr_in far = { .sin_family = AF_INET, .sin_port = htons(9) }, own;
	socklen_t length = sizeof own;
	char address[INET_ADDRSTRLEN];
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "198.51.100.1", &far.sin_addr);
	if (!connect(s, (struct sockaddr *)&far, sizeof far) &&
	    !getsockname(s, (struct sockaddr *)&own, &length)) {
		inet_ntop(AF_INET, &own.sin_addr, address, sizeof address);
		printf("way %s\n", address);
	}
	close(s);
}

static void leave(int signal)
{
	(void)signal;
	_exit(0);
}

int main(int argc, char **argv)
{
	struct ifaddrs *all = NULL;

	(void)argv;
	getifaddrs(&all);
	for (struct ifaddrs *i = all; i; i = i->ifa_next)
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_PACKET)
			link_line(i);
		else if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET)
			address_line(i);
		else if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET6)
			address6_line(i);
	default_route_lines();
	way_line();
	puts("looked");
	fflush(stdout);
	signal(SIGTERM, leave);
	while (argc > 1)
		pause();
	return 0;
}

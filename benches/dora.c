/*
 * dora IFNAME [ADDRESS]: a lease in the fewest packets, and its address set. No
 * check of what comes, no repetition, no record: what any DHCP client does at
 * least. With ADDRESS it asks for that one outright (INIT-REBOOT), in two packets.
 *
 * Prints the nanoseconds from the first packet to the address that is set.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DISCOVER = 1, OFFER, REQUEST, ACK = 5, MAGIC = 0x63825363 };

struct packet {
	struct { uint8_t version, tos; uint16_t length, id, fragment; uint8_t ttl, protocol;
		 uint16_t check; uint32_t from, to; } __attribute__((packed)) ip;
	struct { uint16_t from, to, length, check; } udp;
	struct { uint8_t op, htype, hlen, hops; uint32_t xid; uint16_t secs, flags;
		 uint32_t ciaddr, yiaddr, siaddr, giaddr; uint8_t chaddr[16], names[192];
		 uint32_t magic; uint8_t options[64]; } __attribute__((packed)) dhcp;
} __attribute__((packed));

static int link_index;
static uint8_t mac[6];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint16_t checksum(const void *data, size_t bytes)
{
	const uint16_t *words = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < bytes / 2; i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void say(int fd, int type, uint32_t address, uint32_t server)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP),
				  .sll_ifindex = link_index, .sll_halen = 6 };
	struct packet p = { 0 };
	uint8_t *option = p.dhcp.options;

	memset(to.sll_addr, 0xff, 6);
	p.ip.version = 0x45;
	p.ip.length = htons(sizeof p);
	p.ip.ttl = 64;
	p.ip.protocol = 17;
	p.ip.to = INADDR_BROADCAST;
	p.ip.check = checksum(&p.ip, sizeof p.ip);
	p.udp.from = htons(68);
	p.udp.to = htons(67);
	p.udp.length = htons(sizeof p - sizeof p.ip);
	p.dhcp.op = p.dhcp.htype = 1;
	p.dhcp.hlen = 6;
	p.dhcp.xid = htonl(getpid());
	memcpy(p.dhcp.chaddr, mac, 6);
	p.dhcp.magic = htonl(MAGIC);
	*option++ = 53, *option++ = 1, *option++ = type;
	if (address) {
		*option++ = 50, *option++ = 4;
		memcpy(option, &address, 4), option += 4;
	}
	if (server) {
		*option++ = 54, *option++ = 4;
		memcpy(option, &server, 4), option += 4;
	}
	*option++ = 55, *option++ = 2, *option++ = 1, *option++ = 3, *option = 255;
	if (sendto(fd, &p, sizeof p, 0, (void *)&to, sizeof to) < 0)
		die("sendto");
}

/* The address that an answer of this kind gives, and its server. */
static uint32_t hear(int fd, int type, uint32_t *server)
{
	struct packet p;

	for (;;) {
		ssize_t got = recv(fd, &p, sizeof p, 0);

		if (got < 0)
			die("recv");
		if (p.ip.protocol == 17 && p.udp.to == htons(68) && p.dhcp.xid == htonl(getpid()) &&
		    p.dhcp.options[0] == 53 && p.dhcp.options[2] == type) {
			memcpy(server, p.dhcp.options + 5, 4);
			return p.dhcp.yiaddr;
		}
	}
}

static void set_address(const char *name, uint32_t address)
{
	struct ifreq request = { 0 };
	struct sockaddr_in *in = (void *)&request.ifr_addr;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = address;
	if (ioctl(fd, SIOCSIFADDR, &request) < 0)
		die("SIOCSIFADDR");
}

int main(int count, char **words)
{
	struct sockaddr_ll here = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
	struct timeval patience = { .tv_sec = 2 };
	struct ifreq request = { 0 };
	struct timespec begin, end;
	uint32_t address, server = 0;
	int fd;

	if (count < 2)
		return 2;
	fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
	strncpy(request.ifr_name, words[1], IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		die(words[1]);
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	here.sll_ifindex = link_index = if_nametoindex(words[1]);
	if (bind(fd, (void *)&here, sizeof here) < 0)
		die("bind");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (count > 2) {
		address = inet_addr(words[2]);
	} else {
		say(fd, DISCOVER, 0, 0);
		address = hear(fd, OFFER, &server);
	}
	say(fd, REQUEST, address, server);
	address = hear(fd, ACK, &server);
	set_address(words[1], address);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%lld %s\n", (end.tv_sec - begin.tv_sec) * 1000000000LL + end.tv_nsec - begin.tv_nsec,
	       inet_ntoa((struct in_addr){ address }));
	return 0;
}

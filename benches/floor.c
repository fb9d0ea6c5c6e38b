/*
 * floor KIND UPLINK NAMESPACE HOSTIF IFNAME ADDRESS PREFIXLEN GATEWAY: one
 * attachment in the fewest netlink messages, and nothing that a user would miss
 * only later (no checks, no record, no report). No program that does the work
 * can be much faster, so it is the unit that the others are measured in.
 *
 * KIND is `bridge`: a port of UPLINK; `bridge-vlan=100`: the same, in that VLAN
 * and in no other; `macvlan`, `ipvlan`: a child of UPLINK, a NIC or a VLAN device
 * on one; `dummy`: a device that leads nowhere, whatever UPLINK is; `device`: the NIC
 * UPLINK itself; `ovs`: a port of UPLINK, a bridge of the Open vSwitch that listens
 * where it usually does, in one transaction.
 *
 * The veth is born with its peer inside NAMESPACE, its host end up and in the
 * bridge, and the peer's index is chosen here, so nothing has to be looked up
 * afterwards (drivers/net/veth.c, veth_newlink: only together with the index
 * of the host end).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PEER_INDEX = 1 << 20 };
enum { KIND = 1, UPLINK, NAMESPACE, HOSTIF, IFNAME, ADDRESS, PREFIXLEN, GATEWAY, WORDS };

struct message {
	struct nlmsghdr header;
	char body[1000];
};

static void start(struct message *m, int type, int flags, const void *body, size_t length)
{
	memset(m, 0, sizeof *m);
	m->header.nlmsg_type = type;
	m->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	m->header.nlmsg_len = NLMSG_LENGTH(length);
	memcpy(m->body, body, length);
}

static struct rtattr *put(struct message *m, int type, const void *value, size_t length)
{
	struct rtattr *attribute = (void *)((char *)m + NLMSG_ALIGN(m->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(length);
	if (length)
		memcpy(RTA_DATA(attribute), value, length);
	m->header.nlmsg_len = NLMSG_ALIGN(m->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
	return attribute;
}

static void end(struct message *m, struct rtattr *nest)
{
	nest->rta_len = (char *)m + m->header.nlmsg_len - (char *)nest;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void ask(int fd, struct message *m, const char *what)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[1000];
	} answer;

	if (send(fd, m, m->header.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0)
		die(what);
	errno = -answer.error.error;
	if (errno)
		die(what);
}

static int rtnetlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		die("socket");
	return fd;
}

static void make_veth(int fd, int namespace, char **argv)
{
	struct ifinfomsg host = {
		.ifi_index = PEER_INDEX + getpid(), .ifi_flags = IFF_UP, .ifi_change = IFF_UP,
	};
	struct ifinfomsg peer = { .ifi_index = PEER_INDEX };
	int bridge = strcmp(argv[KIND], "ovs") ? (int)if_nametoindex(argv[UPLINK]) : 0;
	struct rtattr *info, *data, *end_of_pair;
	struct message m;

	start(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &host, sizeof host);
	put(&m, IFLA_IFNAME, argv[HOSTIF], strlen(argv[HOSTIF]) + 1);
	if (bridge)
		put(&m, IFLA_MASTER, &bridge, sizeof bridge);
	info = put(&m, IFLA_LINKINFO, NULL, 0);
	put(&m, IFLA_INFO_KIND, "veth", 5);
	data = put(&m, IFLA_INFO_DATA, NULL, 0);
	end_of_pair = put(&m, VETH_INFO_PEER, &peer, sizeof peer);
	put(&m, IFLA_IFNAME, argv[IFNAME], strlen(argv[IFNAME]) + 1);
	put(&m, IFLA_NET_NS_FD, &namespace, sizeof namespace);
	end(&m, end_of_pair);
	end(&m, data);
	end(&m, info);
	ask(fd, &m, "veth");
}

static void set_vlan(int fd, int type, struct bridge_vlan_info vlan)
{
	struct ifinfomsg port = { .ifi_family = AF_BRIDGE, .ifi_index = PEER_INDEX + getpid() };
	struct rtattr *specification;
	struct message m;

	start(&m, type, 0, &port, sizeof port);
	specification = put(&m, IFLA_AF_SPEC, NULL, 0);
	put(&m, IFLA_BRIDGE_VLAN_INFO, &vlan, sizeof vlan);
	end(&m, specification);
	ask(fd, &m, "VLAN");
}

static void make_port_in_vlan(int fd, int namespace, char **argv, int vlan)
{
	struct bridge_vlan_info own = {
		.flags = BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, .vid = vlan,
	};
	struct bridge_vlan_info given = { .vid = 1 };

	make_veth(fd, namespace, argv);
	set_vlan(fd, RTM_SETLINK, own);
	set_vlan(fd, RTM_DELLINK, given);
}

static void hand_over(int fd, int namespace, char **argv)
{
	struct ifinfomsg link = { .ifi_index = if_nametoindex(argv[UPLINK]) };
	int index = PEER_INDEX;
	struct message m;

	start(&m, RTM_NEWLINK, 0, &link, sizeof link);
	put(&m, IFLA_NET_NS_FD, &namespace, sizeof namespace);
	put(&m, IFLA_NEW_IFINDEX, &index, sizeof index);
	put(&m, IFLA_IFNAME, argv[IFNAME], strlen(argv[IFNAME]) + 1);
	ask(fd, &m, "device");
}

/* The rows of a port, and with them the question that is answered once
 * ovs-vswitchd has it: with its number, or with -1 when it could not. */
static const char PORT[] =
	"{\"method\":\"transact\",\"id\":1,\"params\":[\"Open_vSwitch\","
	"{\"op\":\"insert\",\"table\":\"Interface\",\"uuid-name\":\"i\",\"row\":{\"name\":\"%1$s\"}},"
	"{\"op\":\"insert\",\"table\":\"Port\",\"uuid-name\":\"p\","
	"\"row\":{\"name\":\"%1$s\",\"interfaces\":[\"named-uuid\",\"i\"]}},"
	"{\"op\":\"mutate\",\"table\":\"Bridge\",\"where\":[[\"name\",\"==\",\"%2$s\"]],"
	"\"mutations\":[[\"ports\",\"insert\",[\"named-uuid\",\"p\"]]]}]}"
	"{\"method\":\"transact\",\"id\":2,\"params\":[\"Open_vSwitch\","
	"{\"op\":\"wait\",\"timeout\":60000,\"table\":\"Interface\",\"where\":[[\"name\",\"==\",\"%1$s\"]],"
	"\"columns\":[\"ofport\"],\"until\":\"!=\",\"rows\":[{\"ofport\":[\"set\",[]]}]}]}";

static void plug(char **argv)
{
	struct sockaddr_un server = { AF_UNIX, "/run/openvswitch/db.sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[2000], answer[4000] = "";
	size_t length = 0;
	ssize_t got;

	if (fd < 0 || connect(fd, (void *)&server, sizeof server))
		die(server.sun_path);
	snprintf(text, sizeof text, PORT, argv[HOSTIF], argv[UPLINK]);
	if (send(fd, text, strlen(text), 0) < 0)
		die("transaction");
	while (!strstr(answer, "\"id\":2")) {
		got = recv(fd, answer + length, sizeof answer - 1 - length, 0);
		if (got <= 0)
			die("transaction");
		length += got;
		answer[length] = 0;
	}
	if (strstr(answer, "\"error\":\"")) {
		fputs(answer, stderr);
		exit(1);
	}
}

struct kind {
	const char *name;
	/* Nothing of these without a parent. */
	int attribute;
	const void *mode;
	size_t width;
};

static void make_child(int fd, int namespace, char **argv, struct kind kind)
{
	struct ifinfomsg link = { .ifi_index = PEER_INDEX };
	/* Who asks so for a name that is not there has the kernel run modprobe. */
	int parent = kind.mode ? (int)if_nametoindex(argv[UPLINK]) : 0;
	struct rtattr *info, *data;
	struct message m;

	start(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
	put(&m, IFLA_IFNAME, argv[IFNAME], strlen(argv[IFNAME]) + 1);
	put(&m, IFLA_NET_NS_FD, &namespace, sizeof namespace);
	if (kind.mode)
		put(&m, IFLA_LINK, &parent, sizeof parent);
	info = put(&m, IFLA_LINKINFO, NULL, 0);
	put(&m, IFLA_INFO_KIND, kind.name, strlen(kind.name) + 1);
	if (kind.mode) {
		data = put(&m, IFLA_INFO_DATA, NULL, 0);
		put(&m, kind.attribute, kind.mode, kind.width);
		end(&m, data);
	}
	end(&m, info);
	ask(fd, &m, kind.name);
}

static int make(int fd, int namespace, char **argv)
{
	static const unsigned int bridge = MACVLAN_MODE_BRIDGE;
	static const unsigned short l2 = IPVLAN_MODE_L2;
	static const struct kind children[] = {
		{ "macvlan", IFLA_MACVLAN_MODE, &bridge, sizeof bridge },
		{ "ipvlan", IFLA_IPVLAN_MODE, &l2, sizeof l2 },
		{ "dummy", 0, NULL, 0 },
	};
	int vlan;

	if (!strcmp(argv[KIND], "bridge")) {
		make_veth(fd, namespace, argv);
		return 0;
	}
	if (!strcmp(argv[KIND], "ovs")) {
		make_veth(fd, namespace, argv);
		plug(argv);
		return 0;
	}
	if (!strcmp(argv[KIND], "device")) {
		hand_over(fd, namespace, argv);
		return 0;
	}
	if (sscanf(argv[KIND], "bridge-vlan=%d", &vlan) == 1) {
		make_port_in_vlan(fd, namespace, argv, vlan);
		return 0;
	}
	for (size_t i = 0; i < sizeof children / sizeof *children; i++) {
		if (!strcmp(argv[KIND], children[i].name)) {
			make_child(fd, namespace, argv, children[i]);
			return 0;
		}
	}
	return -1;
}

static void set_up(int fd)
{
	struct ifinfomsg link = { .ifi_index = PEER_INDEX, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct message m;

	start(&m, RTM_NEWLINK, 0, &link, sizeof link);
	ask(fd, &m, "up");
}

static void add_address(int fd, char **argv)
{
	struct ifaddrmsg address = {
		.ifa_family = AF_INET, .ifa_prefixlen = atoi(argv[PREFIXLEN]), .ifa_index = PEER_INDEX,
	};
	struct in_addr local, broadcast;
	struct message m;

	if (!inet_aton(argv[ADDRESS], &local))
		die(argv[ADDRESS]);
	broadcast.s_addr = local.s_addr | htonl(0xffffffffU >> address.ifa_prefixlen);
	start(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &address, sizeof address);
	put(&m, IFA_LOCAL, &local, sizeof local);
	put(&m, IFA_ADDRESS, &local, sizeof local);
	put(&m, IFA_BROADCAST, &broadcast, sizeof broadcast);
	ask(fd, &m, "address");
}

static void add_default_route(int fd, char **argv)
{
	struct rtmsg route = {
		.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST,
	};
	int index = PEER_INDEX;
	struct in_addr gateway;
	struct message m;

	if (!inet_aton(argv[GATEWAY], &gateway))
		die(argv[GATEWAY]);
	start(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route, sizeof route);
	put(&m, RTA_GATEWAY, &gateway, sizeof gateway);
	put(&m, RTA_OIF, &index, sizeof index);
	ask(fd, &m, "default route");
}

int main(int argc, char **argv)
{
	int namespace, fd;

	if (argc != WORDS)
		return 2;
	namespace = open(argv[NAMESPACE], O_RDONLY | O_CLOEXEC);
	if (namespace < 0)
		die(argv[NAMESPACE]);
	if (make(rtnetlink(), namespace, argv))
		return 2;
	if (setns(namespace, CLONE_NEWNET))
		die("setns");
	fd = rtnetlink();
	set_up(fd);
	add_address(fd, argv);
	add_default_route(fd, argv);
	return 0;
}

/* The limit of how fast a container can start: the system calls alone, from C.
 *
 *   limit ROUNDS PLACE FILTER WRITES UNIFIED V1...
 *
 * PLACE has rootfs, upper, work, mountpoint. FILTER is a file with a seccomp program, WRITES one
 * with lines "path value" for cgroup files. UNIFIED and V1 are cgroup directories to be made and
 * joined ("" when there is none). Prints the nanoseconds of each round: from before the first
 * mkdir to the end of the container's execve. What Docker gives a container is given here:
 * the same namespaces, mounts, nodes, masks, capabilities, filter.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX 64
#define STRICT (MS_NOSUID | MS_NOEXEC | MS_NODEV)

static const char *place, *unified;
static char **v1;
static int v1_count, write_count;
static struct { char *path, *value; } writes[MAX];
static struct sock_fprog filter;

static void check(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(1);
	}
}

static void put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	check(fd, path);
	check(write(fd, value, strlen(value)), path);
	close(fd);
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	check(fd, "socket");
	check(ioctl(fd, SIOCGIFFLAGS, &request), "SIOCGIFFLAGS");
	request.ifr_flags |= IFF_UP;
	check(ioctl(fd, SIOCSIFFLAGS, &request), "SIOCSIFFLAGS");
	close(fd);
}

static void cgroup_mounts(void)
{
	char target[4096];
	check(mount("tmpfs", "mountpoint/sys/fs/cgroup", "tmpfs", STRICT, "mode=755"), "cgroup tmpfs");
	for (int n = -1; n < v1_count; n++) {
		const char *own = n < 0 ? unified : v1[n];
		char *hierarchy = strdup(own), *end;
		if (!*own)
			continue;
		end = strrchr(hierarchy, '/');
		*end = 0;
		snprintf(target, sizeof target, "mountpoint/sys/fs/cgroup/%s", strrchr(hierarchy, '/') + 1);
		free(hierarchy);
		check(mkdir(target, 0755), target);
		check(mount(own, target, 0, MS_BIND, 0), target);
		check(mount(0, target, 0, MS_BIND | MS_REMOUNT | MS_RDONLY | STRICT, 0), target);
	}
	check(mount(0, "mountpoint/sys/fs/cgroup", 0, MS_REMOUNT | MS_BIND | MS_RDONLY | STRICT, 0), "ro");
}

static void mounts(void)
{
	check(mount(0, "/", 0, MS_REC | MS_SLAVE, 0), "rslave");
	check(chdir(place), place);
	check(mount("overlay", "mountpoint", "overlay", 0, "lowerdir=rootfs,upperdir=upper,workdir=work"), "overlay");
	mkdir("mountpoint/proc", 0755);
	check(mount("proc", "mountpoint/proc", "proc", STRICT, 0), "proc");
	mkdir("mountpoint/dev", 0755);
	check(mount("tmpfs", "mountpoint/dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"), "dev");
	mkdir("mountpoint/dev/pts", 0755);
	check(mount("devpts", "mountpoint/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		    "newinstance,ptmxmode=0666,mode=0620,gid=5"), "devpts");
	mkdir("mountpoint/sys", 0755);
	check(mount("sysfs", "mountpoint/sys", "sysfs", STRICT | MS_RDONLY, 0), "sysfs");
	cgroup_mounts();
	mkdir("mountpoint/dev/mqueue", 0755);
	check(mount("mqueue", "mountpoint/dev/mqueue", "mqueue", STRICT, 0), "mqueue");
	mkdir("mountpoint/dev/shm", 0755);
	check(mount("shm", "mountpoint/dev/shm", "tmpfs", STRICT, "mode=1777,size=67108864"), "shm");
}

static void nodes(void)
{
	static const struct { const char *path; int major, minor; } devices[] = {
		{"mountpoint/dev/null", 1, 3}, {"mountpoint/dev/zero", 1, 5}, {"mountpoint/dev/full", 1, 7},
		{"mountpoint/dev/random", 1, 8}, {"mountpoint/dev/urandom", 1, 9}, {"mountpoint/dev/tty", 5, 0},
	};
	static const char *links[][2] = {
		{"/proc/self/fd", "mountpoint/dev/fd"}, {"/proc/self/fd/0", "mountpoint/dev/stdin"},
		{"/proc/self/fd/1", "mountpoint/dev/stdout"}, {"/proc/self/fd/2", "mountpoint/dev/stderr"},
		{"pts/ptmx", "mountpoint/dev/ptmx"}, {"/proc/kcore", "mountpoint/dev/core"},
	};
	for (size_t n = 0; n < sizeof devices / sizeof *devices; n++)
		check(mknod(devices[n].path, S_IFCHR | 0666, makedev(devices[n].major, devices[n].minor)), "mknod");
	for (size_t n = 0; n < sizeof links / sizeof *links; n++)
		check(symlink(links[n][0], links[n][1]), "symlink");
}

static void protect(void)
{
	static const char *readonly[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};
	static const char *masked[] = {
		"proc/asound", "proc/acpi", "proc/interrupts", "proc/kcore", "proc/keys", "proc/latency_stats",
		"proc/timer_list", "proc/timer_stats", "proc/sched_debug", "proc/scsi", "sys/firmware",
		"sys/devices/virtual/powercap",
	};
	char path[256];
	struct stat status;
	for (size_t n = 0; n < sizeof readonly / sizeof *readonly; n++) {
		snprintf(path, sizeof path, "mountpoint/proc/%s", readonly[n]);
		if (mount(path, path, 0, MS_BIND | MS_REC, 0) == 0)
			check(mount(0, path, 0, MS_BIND | MS_REMOUNT | MS_RDONLY | STRICT, 0), path);
	}
	for (size_t n = 0; n < sizeof masked / sizeof *masked; n++) {
		snprintf(path, sizeof path, "mountpoint/%s", masked[n]);
		if (stat(path, &status) < 0)
			continue;
		if (S_ISDIR(status.st_mode))
			check(mount("tmpfs", path, "tmpfs", MS_RDONLY, "nr_blocks=1,nr_inodes=1"), path);
		else
			check(mount("mountpoint/dev/null", path, 0, MS_BIND, 0), path);
	}
}

static void identity(void)
{
	static const char kept[] = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31};
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct sets[2] = {{0}};
	unsigned long long mask = 0;
	for (size_t n = 0; n < sizeof kept; n++)
		mask |= 1ULL << kept[n];
	for (int n = 0; prctl(PR_CAPBSET_READ, n) >= 0; n++)
		if (!(mask >> n & 1))
			check(prctl(PR_CAPBSET_DROP, n), "bounding set");
	check(prctl(PR_SET_KEEPCAPS, 1), "keepcaps");
	check(setgroups(0, 0), "setgroups");
	check(setresgid(0, 0, 0), "setresgid");
	check(setresuid(0, 0, 0), "setresuid");
	check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter), "seccomp");
	sets[0].effective = sets[0].permitted = (unsigned)mask;
	check(syscall(SYS_capset, &header, sets), "capset");
}

static void child(void)
{
	static char *arguments[] = {"sleep", "1000", 0};
	static char *environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", 0};
	char path[4096];
	int null;
	put("/proc/self/oom_score_adj", "0");
	for (int n = 0; n < v1_count; n++) {
		snprintf(path, sizeof path, "%s/tasks", v1[n]);
		put(path, "0");
	}
	check(prctl(PR_SET_DUMPABLE, 0), "dumpable");
	check(unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP), "unshare");
	loopback_up();
	mounts();
	nodes();
	check(sethostname("limit", 5), "sethostname");
	protect();
	check(chdir("mountpoint"), "chdir");
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH), "umount");
	check(chdir("/"), "chdir");
	setsid();
	check(null = open("/dev/null", O_RDWR), "null");
	dup2(null, 0);
	dup2(null, 1);
	check(syscall(SYS_close_range, 3, ~0U, 4), "close_range");
	syscall(SYS_keyctl, 1, "_ses.limit");
	identity();
	execve("/bin/sleep", arguments, environment);
	check(-1, "execve");
}

static long long now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long start(void)
{
	struct clone_args arguments = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
	long long before = now(), took;
	int ends[2];
	char byte;
	int status;
	pid_t pid;
	if (*unified) {
		check(mkdir(unified, 0755), unified);
		check(arguments.cgroup = open(unified, O_RDONLY | O_DIRECTORY | O_CLOEXEC), unified);
		arguments.flags |= CLONE_INTO_CGROUP;
	}
	for (int n = 0; n < v1_count; n++)
		check(mkdir(v1[n], 0755), v1[n]);
	for (int n = 0; n < write_count; n++)
		put(writes[n].path, writes[n].value);
	check(pipe2(ends, O_CLOEXEC), "pipe2");
	check(pid = syscall(SYS_clone3, &arguments, sizeof arguments), "clone3");
	if (pid == 0)
		child();
	close(ends[1]);
	check(read(ends[0], &byte, 1), "read"); /* ends with the execve */
	took = now() - before;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	check(WIFSIGNALED(status) ? 0 : -1, "the container did not start");
	close(ends[0]);
	if (*unified)
		close(arguments.cgroup);
	for (int n = 0; n < v1_count; n++)
		while (rmdir(v1[n]) < 0 && errno == EBUSY)
			usleep(100);
	while (*unified && rmdir(unified) < 0 && errno == EBUSY)
		usleep(100);
	return took;
}

static void read_filter(const char *path)
{
	static struct sock_filter code[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;
	check(fd, path);
	check(size = read(fd, code, sizeof code), path);
	close(fd);
	filter.len = size / sizeof *code;
	filter.filter = code;
}

static void read_writes(const char *path)
{
	FILE *stream = fopen(path, "re");
	char line[4096], *space;
	check(stream ? 0 : -1, path);
	while (write_count < MAX && fgets(line, sizeof line, stream)) {
		line[strcspn(line, "\n")] = 0;
		space = strchr(line, ' ');
		*space = 0;
		writes[write_count].path = strdup(line);
		writes[write_count++].value = strdup(space + 1);
	}
	fclose(stream);
}

int main(int count, char **words)
{
	if (count < 6)
		return 2;
	place = words[2];
	read_filter(words[3]);
	read_writes(words[4]);
	unified = words[5];
	v1 = words + 6;
	v1_count = count - 6;
	for (int n = atoi(words[1]); n > 0; n--)
		printf("%lld\n", start());
	return 0;
}

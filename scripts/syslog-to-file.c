/* Preloaded into Cyrus for tests: what it would tell syslog(3) goes to the file $SYSLOG_FILE, since a test machine has no
 * /dev/log of its own and the machine's is none of a test's business. scripts/test-mailservers.sh compiles it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static void put(const char *format, va_list args) {
	char line[4096];
	const char *path = getenv("SYSLOG_FILE");
	time_t now = time(NULL);
	struct tm at;
	int n, m, fd;

	if (path == NULL) return;
	n = (int)strftime(line, 32, "%H:%M:%S ", localtime_r(&now, &at));
	n += snprintf(line + n, 32, "%d ", (int)getpid());
	m = vsnprintf(line + n, sizeof line - n - 2, format, args);
	if (m < 0) return;
	n += m;
	if (n > (int)sizeof line - 2) n = sizeof line - 2;
	line[n++] = '\n';
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0) return;
	if (write(fd, line, n) < 0) { /* nowhere to say so */ }
	close(fd);
}

void openlog(const char *ident, int option, int facility) { (void)ident; (void)option; (void)facility; }
void closelog(void) {}
void vsyslog(int priority, const char *format, va_list args) { (void)priority; put(format, args); }
void __vsyslog_chk(int priority, int flag, const char *format, va_list args) { (void)priority; (void)flag; put(format, args); }
void syslog(int priority, const char *format, ...) {
	va_list args;
	(void)priority;
	va_start(args, format);
	put(format, args);
	va_end(args);
}
void __syslog_chk(int priority, int flag, const char *format, ...) {
	va_list args;
	(void)priority; (void)flag;
	va_start(args, format);
	put(format, args);
	va_end(args);
}

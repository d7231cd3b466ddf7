/* The load of the measurements.
 *
 *   load PORT REQUEST CONNECTIONS COUNT RATE [SECONDS]
 *
 * Sends the bytes of the file REQUEST over kept connections, COUNT times. RATE 0: each connection
 * sends its next request when the last one is answered; else so many requests a second are begun,
 * whatever becomes of them, and latency counts from when each was due. An answer is good if its
 * status is 200 and, of events, [DONE] was among them. Prints one line of JSON, times in ms.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 8192, READ = 1 << 18, MOST_REQUEST = 1 << 22, TAIL = 16, AT_ONCE = 512 };

struct connection {
    int socket, busy, status;
    int headed, chunked, events, done; /* what is known of the answer */
    char head[HEAD + 1];
    size_t head_size, wanted, got;
    char tail[TAIL + 1]; /* the last bytes that came */
    size_t tail_size;
    long long due, first, last, gap; /* µs of the clock; the longest pause */
};

static struct connection *connections;
static int epoll, port, spread;
static char *request;
static size_t request_size;
static long count, sent, answered, bad, late;
static int bad_status;
static double *latencies, *firsts, *gaps;

static long long now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000LL + at.tv_nsec / 1000;
}

static void dial(struct connection *one)
{
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (one->socket > 0)
        close(one->socket);
    one->socket = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(one->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(one->socket, (struct sockaddr *)&address, sizeof address)) {
        perror("connect");
        exit(2);
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    epoll_ctl(epoll, EPOLL_CTL_ADD, one->socket, &event);
}

static void ask(struct connection *one, long long due)
{
    one->busy = 1;
    one->status = one->headed = one->chunked = one->events = one->done = 0;
    one->head_size = one->wanted = one->got = one->tail_size = 0;
    one->first = one->last = one->gap = 0;
    one->due = due;
    sent++;
    if (send(one->socket, request, request_size, MSG_NOSIGNAL) == (ssize_t)request_size)
        return;
    dial(one); /* a kept connection was closed */
    if (send(one->socket, request, request_size, MSG_NOSIGNAL) < 0)
        perror("send");
}

static void finish(struct connection *one, int whole)
{
    if (answered < count) {
        latencies[answered] = (now() - one->due) / 1000.0;
        firsts[answered] = one->first ? (one->first - one->due) / 1000.0 : 0;
        gaps[answered] = one->gap / 1000.0;
    }
    answered++;
    one->busy = 0;
    if (!whole || one->status != 200 || (one->events && !one->done)) {
        bad++;
        bad_status = one->status;
    }
}

/* Take the head; how many of the bytes it took, and none of the body may have come. */
static size_t take_head(struct connection *one, const char *from, size_t size)
{
    size_t before = one->head_size, room = HEAD - before;
    memcpy(one->head + before, from, size < room ? size : room);
    one->head_size += size < room ? size : room;
    one->head[one->head_size] = 0;
    char *end = strstr(one->head, "\r\n\r\n");
    if (!end)
        return size;
    *end = 0;
    char *length = strcasestr(one->head, "\r\ncontent-length:");
    one->status = atoi(one->head + 9);
    one->wanted = length ? atol(length + 17) : 0;
    one->chunked = strcasestr(one->head, "chunked") != NULL;
    one->events = strcasestr(one->head, "text/event-stream") != NULL;
    one->headed = 1;
    return end + 4 - one->head - before;
}

static void keep_tail(struct connection *one, const char *from, size_t size)
{
    size_t kept = size >= TAIL ? 0 : TAIL - size;
    if (kept > one->tail_size)
        kept = one->tail_size;
    if (size > TAIL) {
        from += size - TAIL;
        size = TAIL;
    }
    memmove(one->tail, one->tail + one->tail_size - kept, kept);
    memcpy(one->tail + kept, from, size);
    one->tail_size = kept + size;
}

/* Take what came. Whether the answer is complete. */
static int take(struct connection *one, const char *from, size_t size)
{
    long long at = now();
    if (!one->first)
        one->first = at;
    else if (at - one->last > one->gap)
        one->gap = at - one->last;
    one->last = at;
    if (!one->headed) {
        size_t taken = take_head(one, from, size);
        if (!one->headed)
            return 0;
        from += taken;
        size -= taken;
    }
    one->got += size;
    if (!one->chunked)
        return one->got >= one->wanted;
    keep_tail(one, from, size);
    one->done = one->done || memmem(from, size, "[DONE]", 6) != NULL;
    return one->tail_size >= 5 && !memcmp(one->tail + one->tail_size - 5, "0\r\n\r\n", 5) &&
           (one->tail_size == 5 || one->tail[one->tail_size - 6] == '\n');
}

static int by_size(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static double at_share(const double *sorted, double share)
{
    long known = answered < count ? answered : count;
    return known ? sorted[(long)((known - 1) * share)] : 0;
}

/* Begin those that are due; how many ms nothing more is. */
static int begin_due(long long began, double rate)
{
    long due = (now() - began) * rate / 1e6 + 1;
    while (sent < count && sent < due) {
        int free = 0;
        while (free < spread && connections[free].busy)
            free++;
        if (free == spread) {
            late++;
            return 1;
        }
        ask(&connections[free], began + (long long)(sent * 1e6 / rate));
    }
    if (sent >= count)
        return 1000;
    long long until = began + (long long)(sent * 1e6 / rate) - now();
    return until <= 0 ? 1 : until > 1000000 ? 1000 : (until + 999) / 1000;
}

static void listen_to(struct connection *one, char *buffer, int closed_loop)
{
    ssize_t read = recv(one->socket, buffer, READ, MSG_DONTWAIT);
    if (read < 0 && errno == EAGAIN)
        return;
    int was_busy = one->busy;
    if (read <= 0) {
        if (was_busy)
            finish(one, one->headed && !one->chunked && !one->wanted && one->got);
        dial(one);
    } else if (was_busy && take(one, buffer, read)) {
        finish(one, 1);
    }
    if (closed_loop && was_busy && !one->busy && sent < count)
        ask(one, now());
}

static void print(double seconds)
{
    long known = answered < count ? answered : count;
    qsort(latencies, known, sizeof *latencies, by_size);
    qsort(firsts, known, sizeof *firsts, by_size);
    qsort(gaps, known, sizeof *gaps, by_size);
    printf("{\"answered\": %ld, \"bad\": %ld, \"bad_status\": %d, \"late\": %ld, "
           "\"seconds\": %.3f, \"p50\": %.3f, \"p99\": %.3f, \"first_p50\": %.3f, "
           "\"first_p99\": %.3f, \"gap_p99\": %.3f, \"gap_max\": %.3f}\n",
           answered, bad, bad_status, late, seconds, at_share(latencies, .5),
           at_share(latencies, .99), at_share(firsts, .5), at_share(firsts, .99),
           at_share(gaps, .99), at_share(gaps, 1));
}

int main(int given, char **arguments)
{
    if (given < 6) {
        fprintf(stderr, "usage: load PORT REQUEST CONNECTIONS COUNT RATE [SECONDS]\n");
        return 2;
    }
    port = atoi(arguments[1]);
    spread = atoi(arguments[3]);
    count = atol(arguments[4]);
    double rate = atof(arguments[5]);
    long long most = given > 6 ? atof(arguments[6]) * 1e6 : 1LL << 60;
    FILE *file = fopen(arguments[2], "rb");
    if (!file) {
        perror(arguments[2]);
        return 1;
    }
    request = malloc(MOST_REQUEST);
    request_size = fread(request, 1, MOST_REQUEST, file);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    latencies = calloc(count, sizeof *latencies);
    firsts = calloc(count, sizeof *firsts);
    gaps = calloc(count, sizeof *gaps);
    connections = calloc(spread, sizeof *connections);
    epoll = epoll_create1(0);
    for (int at = 0; at < spread; at++)
        dial(&connections[at]);
    char *buffer = malloc(READ);
    struct epoll_event events[AT_ONCE];
    long long began = now();
    for (int at = 0; !rate && at < spread && sent < count; at++)
        ask(&connections[at], now());
    while (answered < count && now() - began < most) {
        int wait = rate ? begin_due(began, rate) : 1000;
        int ready = epoll_wait(epoll, events, AT_ONCE, wait);
        for (int at = 0; at < ready; at++)
            listen_to(events[at].data.ptr, buffer, !rate);
    }
    print((now() - began) / 1e6);
}

/* The upstream of the measurements: an OpenAI-compatible server that costs next to nothing.
 *
 *   mock PORT
 *
 * Keep-alive HTTP/1.1, one thread, epoll. A chat with "stream": true is answered by events as vLLM
 * writes them, two Chinese characters each, and then the finish; any other POST by a whole answer
 * of 475 bytes; a GET by a list of models. The prompt steers it: CHUNKS=<n> events (100 unless
 * said), PACE=<µs> between two of them (0 unless said: all in one write).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "answers.h"

enum { MOST_CONNECTIONS = 65536, READ = 16384, AT_ONCE = 512 };

struct connection {
    int socket;
    char *in; /* what came and is not answered yet */
    size_t received, room;
    char *out; /* what the socket would not take yet */
    size_t unsent;
    int paced; /* a stream is under way */
    int left, next, usage;
    long pace;
    long long due; /* µs of the clock */
    int place;     /* in the heap, -1 for none */
};

static struct connection *connections[MOST_CONNECTIONS];
static struct connection *heap[MOST_CONNECTIONS]; /* the paced ones, the next that is due first */
static int waiting;
static int epoll, timer;

static long long now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000LL + at.tv_nsec / 1000;
}

/* The heap of those that are due. */

static void put_at(int place, struct connection *one)
{
    heap[place] = one;
    one->place = place;
}

static void rise(int place)
{
    struct connection *one = heap[place];
    while (place && heap[(place - 1) / 2]->due > one->due) {
        put_at(place, heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put_at(place, one);
}

static void sink(int place)
{
    struct connection *one = heap[place];
    for (int child; (child = 2 * place + 1) < waiting; place = child) {
        if (child + 1 < waiting && heap[child + 1]->due < heap[child]->due)
            child++;
        if (heap[child]->due >= one->due)
            break;
        put_at(place, heap[child]);
    }
    put_at(place, one);
}

static void await(struct connection *one)
{
    put_at(waiting++, one);
    rise(waiting - 1);
}

static void await_no_more(struct connection *one)
{
    int place = one->place;
    if (place < 0)
        return;
    if (--waiting != place) {
        struct connection *last = heap[waiting];
        put_at(place, last);
        sink(place);
        rise(last->place);
    }
    one->place = -1;
}

static void arm(void)
{
    struct itimerspec at = {0};
    if (waiting) {
        at.it_value.tv_sec = heap[0]->due / 1000000;
        at.it_value.tv_nsec = heap[0]->due % 1000000 * 1000;
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void watch(int operation, int socket, int events)
{
    struct epoll_event event = {.events = events, .data.fd = socket};
    epoll_ctl(epoll, operation, socket, &event);
}

static void hang_up(struct connection *one)
{
    await_no_more(one);
    connections[one->socket] = NULL;
    close(one->socket);
    free(one->out);
    free(one->in);
    free(one);
}

/* Send, or keep what the socket does not take. Whether the client is still there. */
static int send_all(struct connection *one, const char *from, size_t size)
{
    ssize_t sent = 0;
    if (!one->unsent) {
        sent = send(one->socket, from, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return 0;
        sent = sent < 0 ? 0 : sent;
    }
    if ((size_t)sent < size) {
        if (!one->unsent)
            watch(EPOLL_CTL_MOD, one->socket, EPOLLIN | EPOLLOUT);
        one->out = realloc(one->out, one->unsent + size - sent);
        memcpy(one->out + one->unsent, from + sent, size - sent);
        one->unsent += size - sent;
    }
    return 1;
}

static int send_rest(struct connection *one)
{
    ssize_t sent = send(one->socket, one->out, one->unsent, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN;
    one->unsent -= sent;
    memmove(one->out, one->out + sent, one->unsent);
    if (!one->unsent)
        watch(EPOLL_CTL_MOD, one->socket, EPOLLIN);
    return 1;
}

/* The next event of a paced stream, or its end. */
static int go_on(struct connection *one)
{
    if (!one->left) {
        char end[2048];
        struct bytes made = {end, 0};
        append(&made, finish.at, finish.size);
        if (one->usage)
            append(&made, usage.at, usage.size);
        append(&made, DONE, sizeof DONE - 1);
        one->paced = 0;
        return send_all(one, made.at, made.size);
    }
    struct bytes *piece = &pieces[one->next++ % PIECES];
    one->left--;
    if (!send_all(one, piece->at, piece->size))
        return 0;
    one->due += one->pace;
    await(one);
    return 1;
}

static int has(const char *body, size_t size, const char *what)
{
    return memmem(body, size, what, strlen(what)) != NULL;
}

static long number(const char *body, size_t size, const char *name, long otherwise)
{
    const char *found = memmem(body, size, name, strlen(name));
    return found ? atol(found + strlen(name)) : otherwise;
}

static int answer(struct connection *one, const char *body, size_t size)
{
    if (one->in[0] == 'G' || one->in[0] == 'H')
        return send_all(one, models.at, models.size);
    if (!has(body, size, "\"stream\":true") && !has(body, size, "\"stream\": true"))
        return send_all(one, whole.at, whole.size);
    one->usage = has(body, size, "\"include_usage\":true") ||
                 has(body, size, "\"include_usage\": true");
    one->pace = number(body, size, "PACE=", 0);
    long count = number(body, size, "CHUNKS=", 100);
    if (one->pace) {
        one->paced = 1;
        one->left = count;
        one->next = 0;
        one->due = now();
        return send_all(one, HEAD, sizeof HEAD - 1) && go_on(one);
    }
    if (count == 100)
        return send_all(one, bundles[one->usage].at, bundles[one->usage].size);
    struct bytes made = stream(count, one->usage);
    int sent = send_all(one, made.at, made.size);
    free(made.at);
    return sent;
}

/* Answer what has come as a whole. Whether the client is still there. */
static int answer_all(struct connection *one)
{
    while (!one->paced) {
        one->in[one->received] = 0;
        char *end = memmem(one->in, one->received, "\r\n\r\n", 4);
        if (!end)
            return 1;
        size_t head = end + 4 - one->in, body = 0;
        *end = 0;
        char *length = strcasestr(one->in, "\r\ncontent-length:");
        int chunked = !length && strcasestr(one->in, "\r\ntransfer-encoding: chunked");
        *end = '\r';
        if (length)
            body = atol(length + 17);
        if (chunked) {
            char *last = memmem(end + 2, one->received - head + 2, "\r\n0\r\n\r\n", 7);
            if (!last)
                return 1;
            body = last + 7 - (one->in + head);
        }
        if (one->received < head + body)
            return 1;
        if (!answer(one, one->in + head, body))
            return 0;
        one->received -= head + body;
        memmove(one->in, one->in + head + body, one->received);
    }
    return 1;
}

static int receive(struct connection *one)
{
    for (;;) {
        if (one->received + READ >= one->room) {
            one->room = one->received + 2 * READ;
            one->in = realloc(one->in, one->room + 1);
        }
        ssize_t read = recv(one->socket, one->in + one->received, READ, 0);
        if (read <= 0)
            return read < 0 && errno == EAGAIN ? answer_all(one) : 0;
        one->received += read;
        if (read < READ)
            return answer_all(one);
    }
}

static void accept_all(int listener)
{
    int socket, on = 1;
    while ((socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *one = connections[socket] = calloc(1, sizeof *one);
        one->socket = socket;
        one->place = -1;
        watch(EPOLL_CTL_ADD, socket, EPOLLIN);
    }
}

static void tick(void)
{
    long long expired, at = now();
    if (read(timer, &expired, sizeof expired) < 0)
        return;
    while (waiting && heap[0]->due <= at) {
        struct connection *one = heap[0];
        await_no_more(one);
        if (!go_on(one) || !answer_all(one))
            hang_up(one);
    }
}

int main(int count, char **arguments)
{
    if (count != 2) {
        fprintf(stderr, "usage: mock PORT\n");
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prepare();
    epoll = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(atoi(arguments[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address)) {
        perror("bind");
        return 1;
    }
    listen(listener, 4096);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    watch(EPOLL_CTL_ADD, timer, EPOLLIN);
    struct epoll_event events[AT_ONCE];
    for (;;) {
        int ready = epoll_wait(epoll, events, AT_ONCE, -1);
        for (int at = 0; at < ready; at++) {
            int socket = events[at].data.fd;
            struct connection *one = connections[socket];
            if (socket == listener)
                accept_all(listener);
            else if (socket == timer)
                tick();
            else if (one && ((events[at].events & EPOLLOUT && !send_rest(one)) ||
                             (events[at].events & ~EPOLLOUT && !receive(one))))
                hang_up(one);
        }
        arm();
    }
}

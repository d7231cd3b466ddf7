/* What the mock upstream says, made once: events as vLLM writes them, and whole answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES = 256 };

struct bytes {
    char *at;
    size_t size;
};

static struct bytes pieces[PIECES], finish, usage, whole, models, bundles[2];
static const char HEAD[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
                           "transfer-encoding: chunked\r\n\r\n";
static const char DONE[] = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
static const char TEXT[] =
    "银河系是太阳系所在的星系包含一千亿到四千亿颗恒星直径约为十万光年它的中心有一个超大质量的黑洞"
    "周围环绕着密集的星团天文学家通过观测恒星的运动推断出暗物质的存在这些物质不发光却占据了星系质量"
    "的大部分夜晚当我们抬头仰望天空时可以看到一条淡淡的光带那就是银河的一部分古人把它想象成天上的河"
    "流并留下了牛郎织女的传说今天的望远镜让我们看得更远也让我们知道宇宙中有无数个像银河这样的星系";
static const char EVENT[] = "data: {\"id\":\"chatcmpl-0d1f8a2b3c4d5e6f\",\"object\":"
                            "\"chat.completion.chunk\",\"created\":1764350000,\"model\":\"bench\","
                            "\"choices\":[%s]%s}\n\n";
static const char CHOICE[] =
    "{\"index\":0,\"delta\":{%s},\"logprobs\":null,\"finish_reason\":%s}";
static const char USAGE[] =
    ",\"usage\":{\"prompt_tokens\":64,\"completion_tokens\":100,\"total_tokens\":164}";

static struct bytes chunk(const char *text)
{
    char *at = malloc(strlen(text) + 32);
    return (struct bytes){at, sprintf(at, "%zx\r\n%s\r\n", strlen(text), text)};
}

static struct bytes event(const char *delta, const char *reason, const char *rest)
{
    char choice[512] = "", text[2048];
    if (delta)
        sprintf(choice, CHOICE, delta, reason);
    sprintf(text, EVENT, choice, rest);
    return chunk(text);
}

static struct bytes json(const char *body)
{
    char *at = malloc(strlen(body) + 128);
    int size = sprintf(at,
                       "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                       "content-length: %zu\r\n\r\n%s",
                       strlen(body), body);
    return (struct bytes){at, size};
}

static void append(struct bytes *to, const void *from, size_t size)
{
    memcpy(to->at + to->size, from, size);
    to->size += size;
}

/* A stream of so many events in one piece. */
static struct bytes stream(long count, int with_usage)
{
    struct bytes made = {malloc(2048 + count * 300), 0};
    append(&made, HEAD, sizeof HEAD - 1);
    for (long at = 0; at < count; at++)
        append(&made, pieces[at % PIECES].at, pieces[at % PIECES].size);
    append(&made, finish.at, finish.size);
    if (with_usage)
        append(&made, usage.at, usage.size);
    append(&made, DONE, sizeof DONE - 1);
    return made;
}

static void prepare(void)
{
    const char *from = TEXT;
    char delta[128], body[2048];
    for (int at = 0; at < PIECES; at++) {
        if (!from[0] || !from[3])
            from = TEXT;
        sprintf(delta, "%s\"content\":\"%.6s\"", at ? "" : "\"role\":\"assistant\",", from);
        from += 6; /* two characters of three bytes */
        pieces[at] = event(delta, "null", "");
    }
    finish = event("", "\"stop\"", "");
    usage = event(NULL, "", USAGE);
    bundles[0] = stream(100, 0);
    bundles[1] = stream(100, 1);
    sprintf(body,
            "{\"id\":\"chatcmpl-0d1f8a2b3c4d5e6f\",\"object\":\"chat.completion\",\"created\":"
            "1764350000,\"model\":\"bench\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
            "\"assistant\",\"content\":\"%.198s\"},\"logprobs\":null,\"finish_reason\":\"stop\"}]"
            "%s}",
            TEXT, USAGE);
    whole = json(body);
    models = json("{\"object\":\"list\",\"data\":[{\"id\":\"bench\",\"object\":\"model\",\"created\":"
                  "1764350000,\"owned_by\":\"vllm\",\"max_model_len\":32768}]}");
}

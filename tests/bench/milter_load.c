/*
 * milter_load: the MTA of the bench. Threads hand one message over and over to a milter, as Postfix does (protocol
 * version 6), and measure how long each takes.
 *
 * usage: milter_load SOCKET MESSAGE CONNECTIONS SECONDS RATE EACH CLIENT [MACRO=VALUE ...]
 *
 *   SOCKET       path of a unix-domain socket
 *   MESSAGE      file with the message, line ends CRLF. Where its header has 00000000, the number of the message is put
 *   CONNECTIONS  so many threads, each with one connection
 *   SECONDS      begin no message after that
 *   RATE         0: each thread sends its next message when the last is answered (closed loop). Otherwise so many
 *                messages a second arrive at random times (a Poisson process, always the same), whatever the milter
 *                does (open loop)
 *   EACH         messages a connection; then the next one is opened
 *   CLIENT       the address that the message came from
 *
 * Output: one JSON object. `latency_us`: for each message, from its arrival (closed loop: from MAIL FROM) to the
 * verdict. `failed`: messages whose connection broke; `refused_connections`: connections that never were. `cpu` is
 * what this process used itself, in seconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* protocol steps of the negotiation (mfdef.h): "don't send" and "I won't answer" */
enum {
    NO_CONNECT = 0x1, NO_HELO = 0x2, NO_MAIL = 0x4, NO_RCPT = 0x8, NO_BODY = 0x10, NO_HEADER = 0x20, NO_EOH = 0x40,
    SILENT_HEADER = 0x80, NO_DATA = 0x200, SILENT_CONNECT = 0x1000, SILENT_HELO = 0x2000, SILENT_MAIL = 0x4000,
    SILENT_RCPT = 0x8000, SILENT_DATA = 0x10000, SILENT_EOH = 0x40000, SILENT_BODY = 0x80000, LEADING_SPACE = 0x100000,
    ALL_STEPS = 0x1fffff, ALL_ACTIONS = 0x1ff, CHUNK = 65535
};

typedef struct { char *data; size_t length, room; } Buffer;

/* `number`: where the number of the message goes, as an offset behind the value's begin; -1: nowhere */
typedef struct { char *name, *value; size_t name_length, value_length; long number; } Field;

typedef struct {
    int fd;             /* -1: not connected */
    uint32_t steps;     /* what was agreed */
    int sent;           /* messages on this connection */
    Buffer out, in;
    char kind;          /* of the packet in `in` */
    uint32_t length;    /* of its data */
} Session;

typedef struct { int signature, seal, sender, hold; } Edits;

typedef struct {
    long messages, signatures, sealed, sender_changed, held, accepted, refused, failed, refused_connections;
    uint32_t *latency;
    size_t room;
    pthread_t thread;
} Totals;

static struct {
    const char *path, *client;
    double seconds, rate;
    int each;
    char **macros;
    int macro_count;
    Field *fields;
    size_t field_count;
    char *body;
    size_t body_length;
    double start;
    double *arrivals;   /* open loop: seconds behind the start */
    long arrival_count, next_arrival;
} bench;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void sleep_until(double when)
{
    struct timespec time = { (time_t)when, (long)((when - (time_t)when) * 1e9) };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR) {}
}

static void die(const char *what)
{
    fprintf(stderr, "milter_load: %s: %s\n", what, errno ? strerror(errno) : "not usable");
    exit(2);
}

static void *grown(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (!memory) die("memory");
    return memory;
}

/* ---- packets: a length (4 octets, network order), a letter, data ---- */

static void put(Buffer *buffer, const void *data, size_t length)
{
    if (buffer->length + length > buffer->room) {
        buffer->room = (buffer->length + length) * 2;
        buffer->data = grown(buffer->data, buffer->room);
    }
    memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
}

static void begin_packet(Buffer *buffer, char kind, size_t length)
{
    uint32_t size = htonl(length + 1);
    put(buffer, &size, 4);
    put(buffer, &kind, 1);
}

static void packet(Session *s, char kind, const void *data, size_t length)
{
    begin_packet(&s->out, kind, length);
    put(&s->out, data, length);
}

static int flush(Session *s)
{
    size_t done = 0;
    while (done < s->out.length) {
        ssize_t count = write(s->fd, s->out.data + done, s->out.length - done);
        if (count <= 0) return -1;
        done += count;
    }
    s->out.length = 0;
    return 0;
}

static int read_all(int fd, char *data, size_t length)
{
    while (length) {
        ssize_t count = read(fd, data, length);
        if (count <= 0) return -1;
        data += count;
        length -= count;
    }
    return 0;
}

/* The next packet that is no "still working". */
static int receive(Session *s)
{
    do {
        char head[5];
        uint32_t size;
        if (read_all(s->fd, head, 5)) return -1;
        memcpy(&size, head, 4);
        size = ntohl(size);
        if (size < 1 || size > 64 << 20) return -1;
        s->kind = head[4];
        s->length = size - 1;
        if (s->in.room < size) s->in.data = grown(s->in.data, s->in.room = size);
        if (read_all(s->fd, s->in.data, s->length)) return -1;
        s->in.data[s->length] = 0;
    } while (s->kind == 'p');
    return 0;
}

/* Send what has been put together and, if the step has an answer, wait for it. -1: the connection broke. */
static int step(Session *s, uint32_t silent)
{
    if (s->steps & silent) {
        s->kind = 'c';
        return 0;
    }
    return flush(s) || receive(s) ? -1 : 0;
}

/* ---- a connection and a message ---- */

static void macros(Session *s, char stage, const char *const *pairs, int count)
{
    size_t length = 1;
    for (int i = 0; i < count; i++) length += strlen(pairs[i]) + 1;
    begin_packet(&s->out, 'D', length);
    put(&s->out, &stage, 1);
    for (int i = 0; i < count; i++) {
        const char *equals = strchr(pairs[i], '=');
        put(&s->out, pairs[i], equals - pairs[i]);
        put(&s->out, "", 1);
        put(&s->out, equals + 1, strlen(equals + 1) + 1);
    }
}

static void hang_up(Session *s)
{
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
}

static void quit(Session *s)
{
    if (s->fd < 0) return;
    s->out.length = 0;
    packet(s, 'Q', "", 0);
    if (flush(s)) { /* it has gone already */ }
    hang_up(s);
}

static int dial(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strncpy(address.sun_path, bench.path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) die("socket");
    for (int tries = 0; connect(fd, (void *)&address, sizeof address); tries++) {
        if (errno != EAGAIN || tries == 1000) {     /* EAGAIN: the backlog is full */
            close(fd);
            return -1;
        }
        usleep(2000);
    }
    return fd;
}

static int greet(Session *s)
{
    static const char *const pairs[] = { "j=mx.forwarder.example", "{daemon_name}=ORIGINATING", "v=Postfix 3.7.11" };
    uint32_t offer[3] = { htonl(6), htonl(ALL_ACTIONS), htonl(ALL_STEPS) };
    s->out.length = s->steps = s->sent = 0;
    packet(s, 'O', offer, sizeof offer);
    if (step(s, 0) || s->kind != 'O' || s->length < sizeof offer) return -1;
    memcpy(offer, s->in.data, sizeof offer);
    s->steps = ntohl(offer[2]);
    macros(s, 'C', pairs, 3);
    if (!(s->steps & NO_CONNECT)) {
        char data[256];     /* name NUL family port address NUL */
        int length = snprintf(data, sizeof data, "client.hosted.example%c4%c%c%s", 0, 16, 225, bench.client) + 1;
        packet(s, 'C', data, length);
        if (step(s, SILENT_CONNECT) || s->kind != 'c') return -1;
    }
    if (!(s->steps & NO_HELO)) {
        packet(s, 'H', "client.hosted.example", 22);
        if (step(s, SILENT_HELO) || s->kind != 'c') return -1;
    }
    return 0;
}

/* A connection that takes a message. -1: there is none. */
static int ready(Session *s, Totals *t)
{
    if (s->fd >= 0 && s->sent < bench.each) return 0;
    quit(s);
    s->fd = dial();
    if (s->fd >= 0 && !greet(s)) return 0;
    if (s->fd < 0) t->refused_connections++;
    else t->failed++;       /* accepted, and then the worker was gone */
    hang_up(s);
    usleep(1000);
    return -1;
}

static int envelope(Session *s, long number)
{
    char id[32];
    const char *pairs[32] = { id, "{mail_addr}=ask@hosted.example", "{mail_host}=hosted.example",
                              "{mail_mailer}=smtp" };
    static const char *const recipient[] = { "{rcpt_addr}=you@receiver.example", "{rcpt_host}=receiver.example" };
    int count = 4;
    snprintf(id, sizeof id, "i=4QK%09lX", number);
    for (int i = 0; i < bench.macro_count && count < 32; i++) pairs[count++] = bench.macros[i];
    macros(s, 'M', pairs, count);
    if (!(s->steps & NO_MAIL)) {
        packet(s, 'M', "<ask@hosted.example>", 21);
        if (step(s, SILENT_MAIL) || s->kind != 'c') return -1;
    }
    pairs[1] = recipient[0];
    pairs[2] = recipient[1];
    macros(s, 'R', pairs, 3);
    if (!(s->steps & NO_RCPT)) {
        packet(s, 'R', "<you@receiver.example>", 23);
        if (step(s, SILENT_RCPT) || s->kind != 'c') return -1;
    }
    if (!(s->steps & NO_DATA)) {
        macros(s, 'T', pairs, 1);
        packet(s, 'T', "", 0);
        if (step(s, SILENT_DATA) || s->kind != 'c') return -1;
    }
    macros(s, 'N', pairs, 1);
    return 0;
}

static int header(Session *s, long number)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%08ld", number % 100000000);
    for (size_t i = 0; i < bench.field_count && !(s->steps & NO_HEADER); i++) {
        const Field *field = bench.fields + i;
        size_t eaten = !(s->steps & LEADING_SPACE) && *field->value == ' ';
        begin_packet(&s->out, 'L', field->name_length + field->value_length + 2 - eaten);
        put(&s->out, field->name, field->name_length + 1);
        put(&s->out, field->value + eaten, field->value_length + 1 - eaten);
        if (field->number >= 0)
            memcpy(s->out.data + s->out.length - (field->value_length + 1) + field->number, digits, 8);
        if (step(s, SILENT_HEADER) || s->kind != 'c') return -1;
    }
    if (!(s->steps & NO_EOH)) {
        packet(s, 'N', "", 0);
        if (step(s, SILENT_EOH) || s->kind != 'c') return -1;
    }
    return 0;
}

static int body(Session *s)
{
    s->kind = 'c';
    for (size_t at = 0; at < bench.body_length && s->kind != 's' && !(s->steps & NO_BODY); at += CHUNK) {
        packet(s, 'B', bench.body + at, bench.body_length - at < CHUNK ? bench.body_length - at : CHUNK);
        if (step(s, SILENT_BODY) || (s->kind != 'c' && s->kind != 's')) return -1;
    }
    return 0;
}

/* The end of the message: what the milter changes, then its verdict. */
static int verdict(Session *s, Totals *t)
{
    Edits edits = { 0, 0, 0, 0 };
    packet(s, 'E', "", 0);
    if (flush(s)) return -1;
    for (;;) {
        if (receive(s)) return -1;
        const char *name = s->in.data + (s->kind == 'i' ? 4 : 0);
        switch (s->kind) {
        case 'h': case 'i':
            edits.signature |= !strcasecmp(name, "DKIM-Signature");
            edits.seal |= !strcasecmp(name, "ARC-Seal");
            break;
        case 'e': edits.sender = 1; break;
        case 'q': edits.hold = 1; break;
        case 'm': case 'b': case '+': case '-': case '2': break;
        default:
            t->signatures += edits.signature;
            t->sealed += edits.seal;
            t->sender_changed += edits.sender;
            t->held += edits.hold;
            if (s->kind == 'a' || s->kind == 'c') t->accepted++;
            else t->refused++;
            return 0;
        }
    }
}

static void record(Totals *t, double seconds)
{
    if ((size_t)t->messages == t->room) {
        t->room = t->room * 2 + 4096;
        t->latency = grown(t->latency, t->room * sizeof *t->latency);
    }
    t->latency[t->messages++] = (uint32_t)(seconds * 1e6);
}

/* When the next message arrives, -1 where none does. */
static double next(long *number)
{
    *number = __atomic_fetch_add(&bench.next_arrival, 1, __ATOMIC_RELAXED);
    if (bench.arrivals) return *number < bench.arrival_count ? bench.start + bench.arrivals[*number] : -1;
    double time = now();
    return time < bench.start + bench.seconds ? time : -1;
}

static void *run(void *argument)
{
    Totals *t = argument;
    Session s = { .fd = -1 };
    prctl(PR_SET_TIMERSLACK, 1UL);
    for (;;) {
        long number;
        if (ready(&s, t)) {
            if (now() > bench.start + bench.seconds) break;
            continue;
        }
        double arrival = next(&number);
        if (arrival < 0) break;
        if (bench.arrivals) sleep_until(arrival);
        if (envelope(&s, number) || header(&s, number) || body(&s) || verdict(&s, t)) {
            t->failed++;
            s.out.length = 0;
            hang_up(&s);
            continue;
        }
        record(t, now() - arrival);
        s.sent++;
    }
    quit(&s);
    return NULL;
}

/* ---- the message, the arrivals, the report ---- */

static void read_message(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) die(path);
    size_t length = ftell(file);
    char *text = grown(NULL, length + 1);
    rewind(file);
    if (fread(text, 1, length, file) != length) die(path);
    fclose(file);
    text[length] = 0;
    char *end = strstr(text, "\r\n\r\n");
    errno = 0;
    if (!end) die("no end of the header (line ends must be CRLF)");
    bench.body = end + 4;
    bench.body_length = text + length - bench.body;
    end[2] = 0;
    for (char *at = text; *at;) {
        char *stop = at, *into;
        do stop = strstr(stop, "\r\n") + 2;
        while (*stop == ' ' || *stop == '\t');
        char *colon = memchr(at, ':', stop - at);
        if (!colon) die("a header line without a colon");
        Field field = { at, colon + 1, colon - at, 0, -1 };
        for (char *from = into = colon + 1; from < stop - 2; from++)    /* libmilter's line ends are LF */
            if (*from != '\r') *into++ = *from;
        *colon = *into = 0;
        field.value_length = into - field.value;
        char *place = strstr(field.value, "00000000");
        if (place) field.number = place - field.value;
        bench.fields = grown(bench.fields, (bench.field_count + 1) * sizeof field);
        bench.fields[bench.field_count++] = field;
        at = stop;
    }
}

/* The logarithm by its series: no other reason to link libm. 0 < x <= 1 */
static double minus_log(double x)
{
    double sum = 0, power, y;
    while (x < 0.5) { x *= 2; sum += 0.69314718055994530942; }
    y = power = 1 - x;
    for (int n = 1; n < 60; n++, power *= y) sum += power / n;
    return sum;
}

static void draw_arrivals(void)
{
    unsigned short state[3] = { 1, 2, 3 };
    bench.arrivals = grown(NULL, ((size_t)(bench.rate * bench.seconds * 2) + 1000) * sizeof(double));
    for (double at = 0; at < bench.seconds; at += minus_log(1 - erand48(state)) / bench.rate)
        bench.arrivals[bench.arrival_count++] = at;
}

static void report(const Totals *threads, int count, double seconds)
{
    Totals sum = { 0 };
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    for (int i = 0; i < count; i++) {
        sum.messages += threads[i].messages;
        sum.signatures += threads[i].signatures;
        sum.sealed += threads[i].sealed;
        sum.sender_changed += threads[i].sender_changed;
        sum.held += threads[i].held;
        sum.accepted += threads[i].accepted;
        sum.refused += threads[i].refused;
        sum.failed += threads[i].failed;
        sum.refused_connections += threads[i].refused_connections;
    }
    printf("{\"seconds\": %.6f, \"cpu\": %.6f, \"messages\": %ld, \"signed\": %ld, \"sealed\": %ld, ", seconds,
           used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6,
           sum.messages, sum.signatures, sum.sealed);
    printf("\"sender_changed\": %ld, \"held\": %ld, \"accepted\": %ld, \"refused\": %ld, \"failed\": %ld, ",
           sum.sender_changed, sum.held, sum.accepted, sum.refused, sum.failed);
    printf("\"refused_connections\": %ld, \"latency_us\": [", sum.refused_connections);
    const char *comma = "";
    for (int i = 0; i < count; i++)
        for (long n = 0; n < threads[i].messages; n++, comma = ",") printf("%s%u", comma, threads[i].latency[n]);
    printf("]}\n");
}

int main(int count, char **words)
{
    if (count < 8) {
        fprintf(stderr, "usage: milter_load SOCKET MESSAGE CONNECTIONS SECONDS RATE EACH CLIENT [MACRO=VALUE ...]\n");
        return 2;
    }
    int connections = atoi(words[3]);
    bench.path = words[1];
    read_message(words[2]);
    bench.seconds = atof(words[4]);
    bench.rate = atof(words[5]);
    bench.each = atoi(words[6]);
    bench.client = words[7];
    bench.macros = words + 8;
    bench.macro_count = count - 8;
    errno = 0;
    if (connections < 1 || bench.each < 1 || bench.seconds <= 0) die("a number of the command line");
    if (bench.rate > 0) draw_arrivals();
    signal(SIGPIPE, SIG_IGN);
    Totals *threads = calloc(connections, sizeof *threads);
    if (!threads) die("memory");
    bench.start = now();
    for (int i = 0; i < connections; i++)
        if (pthread_create(&threads[i].thread, NULL, run, threads + i)) die("thread");
    for (int i = 0; i < connections; i++) pthread_join(threads[i].thread, NULL);
    report(threads, connections, now() - bench.start);
    return 0;
}

/* Processes that hide and multiply: storm MODE NUMBER, in the directory where `ready` is to appear.
 *
 * still NUMBER   that many processes, each in a session of its own, that ignore TERM and sleep
 * bomb NUMBER    each process forks again and again: a tenth of NUMBER forks at once, and the rest
 *                spread over the next second, whatever is killed meanwhile
 * chain NUMBER   that many runners, each of which forks a successor and ends, without pause
 *
 * Every process ends by itself after 30 seconds, whatever happens: the machine survives.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static atomic_int *started;
static long begun;

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void end_in_time(void)
{
    if (now_ms() - begun > 30000)
        _exit(0);
}

static void still(void)
{
    atomic_fetch_add(started, 1);
    alarm(120);
    for (;;)
        pause();
}

static int allowed(int most)
{
    long ms = now_ms() - begun;
    return ms >= 1000 ? most : most / 10 + (int)(most * ms / 1000);
}

static void bomb(int most)
{
    setsid();
    for (;;) {
        end_in_time();
        if (atomic_load(started) < allowed(most)) {
            atomic_fetch_add(started, 1);
            if (fork() == 0)
                setsid();
        }
        usleep(2000);
    }
}

static void chain(void)
{
    for (;;) {
        end_in_time();
        atomic_fetch_add(started, 1);
        if (fork() != 0)
            _exit(0);
        setsid();
    }
}

int main(int count, char **words)
{
    if (count != 3)
        return 98;
    int number = atoi(words[2]);
    int enough = strcmp(words[1], "bomb") == 0 ? number / 10 : number;
    started = mmap(0, sizeof *started, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    begun = now_ms();
    signal(SIGTERM, SIG_IGN);
    if (strcmp(words[1], "bomb") == 0) {
        if (fork() == 0)
            bomb(number);
    } else {
        for (int i = 0; i < number; i++) {
            pid_t pid = fork();
            if (pid < 0)
                return 97;
            if (pid == 0) {
                setsid();
                if (strcmp(words[1], "chain") == 0)
                    chain();
                still();
            }
        }
    }
    while (atomic_load(started) < enough)
        usleep(1000);
    close(open("ready", O_CREAT | O_WRONLY, 0600));
    alarm(120);
    for (;;)
        pause();
}

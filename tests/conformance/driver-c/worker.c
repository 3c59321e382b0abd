#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "messages.h"

typedef enum behaviour { HOLD, ECHO, BURN, LATE } behaviour;

struct worker_driver {
    swarm_worker *worker;
    events *events;
    behaviour behaviour;
    double burn;
    /* The journal, -1 without one. */
    int log;
    _Atomic uint64_t added, deleted, completed, refused, closed;
    /* Guards what follows. */
    pthread_mutex_t lock;
    pthread_cond_t drained;
    char incarnation[64];
    /* Active jobs for commands to come. */
    swarm_job **jobs;
    size_t count, capacity;
    bool is_drained;
    swarm_status drain_status;
};

/* A completion on its way: what to write down about it. */
typedef struct completion {
    worker_driver *driver;
    char *id;
    uint64_t fence;
} completion;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static line note(const char *event) {
    char head[64];
    snprintf(head, sizeof head, "t=%.9f", now());
    line line = {0};
    line_add(&line, head);
    line_text(&line, "event", event);
    return line;
}

static void note_incarnation(worker_driver *driver, line *line) {
    pthread_mutex_lock(&driver->lock);
    line_text(line, "incarnation", driver->incarnation);
    pthread_mutex_unlock(&driver->lock);
}

/* One write, so that a killed process leaves whole lines. */
static void write_note(worker_driver *driver, line line) {
    line_add(&line, "\n");
    if (driver->log >= 0 && write(driver->log, line.data, line.len) < 0) misuse("the journal", "cannot be written");
    free(line.data);
}

static void keep(worker_driver *driver, swarm_job *job) {
    pthread_mutex_lock(&driver->lock);
    if (driver->count == driver->capacity) {
        driver->capacity = driver->capacity ? 2 * driver->capacity : 64;
        driver->jobs = realloc(driver->jobs, driver->capacity * sizeof *driver->jobs);
        if (driver->jobs == NULL) misuse("out of memory", "jobs");
    }
    driver->jobs[driver->count++] = job;
    pthread_mutex_unlock(&driver->lock);
}

/* The kept job of this fence, kept no longer; NULL if there is none. */
static swarm_job *take(worker_driver *driver, uint64_t fence) {
    swarm_job *job = NULL;
    pthread_mutex_lock(&driver->lock);
    for (size_t i = 0; i < driver->count && job == NULL; i++) {
        if (swarm_job_fence(driver->jobs[i]) == fence) {
            job = driver->jobs[i];
            driver->jobs[i] = driver->jobs[--driver->count];
        }
    }
    pthread_mutex_unlock(&driver->lock);
    return job;
}

static void completed(void *user_data, const swarm_error *error, const swarm_call *call) {
    (void)call;
    completion *completion = user_data;
    worker_driver *driver = completion->driver;
    line line = note(error == NULL ? "completed" : "refused");
    line_text(&line, "job", completion->id);
    line_number(&line, "fence", completion->fence);
    if (error == NULL) note_incarnation(driver, &line);
    else line_text(&line, "code", swarm_status_name(swarm_error_status(error)));
    write_note(driver, line);
    if (error == NULL) driver->completed++;
    else driver->refused++;
}

static void free_completion(void *user_data) {
    completion *completion = user_data;
    free(completion->id);
    free(completion);
}

/* Completes with the payload as the result. */
static void complete(worker_driver *driver, swarm_job *job) {
    completion *pending = malloc(sizeof *pending);
    if (pending == NULL) misuse("out of memory", "completion");
    *pending = (completion){driver, strdup(swarm_job_id(job)), swarm_job_fence(job)};
    swarm_result *result = swarm_result_complete(swarm_job_payload(job), swarm_job_details(job)->content_type);
    swarm_call *accepted = NULL;
    swarm_error *error = NULL;
    if (swarm_job_finish(job, result, &accepted, &error) != SWARM_OK ||
        swarm_call_on_done(accepted, SWARM_NO_TIMEOUT, completed, pending, free_completion, &error) != SWARM_OK) {
        misuse("completing", swarm_error_message(error));
    }
}

static void on_ready(void *user_data, const char *incarnation) {
    worker_driver *driver = user_data;
    pthread_mutex_lock(&driver->lock);
    snprintf(driver->incarnation, sizeof driver->incarnation, "%s", incarnation);
    pthread_mutex_unlock(&driver->lock);
    line line = note("ready");
    line_text(&line, "incarnation", incarnation);
    write_note(driver, line);
    events_push_ready(driver->events, incarnation);
}

static void show_extras(line *event, const swarm_job *job) {
    char priority[32];
    snprintf(priority, sizeof priority, "%" PRId64, swarm_job_details(job)->priority);
    line_number(event, "attempt", swarm_job_details(job)->attempt);
    line_text(event, "priority", priority);
    line_text(event, "task", swarm_job_details(job)->task);
    line_text(event, "resource", swarm_job_details(job)->resource);
    line_text(event, "group", swarm_job_details(job)->group);
    const char *checkpoint = swarm_job_details(job)->last_checkpoint;
    line_text(event, "checkpoint", checkpoint == NULL ? "" : checkpoint);
    uint64_t slot = swarm_job_details(job)->scheduled_for;
    if (slot == 0) line_text(event, "scheduled_for", "");
    else line_number(event, "scheduled_for", slot);
    size_t count = swarm_job_details(job)->header_count;
    const swarm_header *headers = swarm_job_details(job)->headers;
    line_add(event, " headers=");
    for (size_t i = 0; i < count; i++) {
        line header = {0};
        line_add(&header, headers[i].name);
        line_add(&header, "=");
        line_add(&header, headers[i].value);
        line_item(event, header.data, i == 0);
        free(header.data);
    }
}

static void on_add(void *user_data, swarm_job *job) {
    worker_driver *driver = user_data;
    line line = note("add");
    line_text(&line, "job", swarm_job_id(job));
    line_number(&line, "fence", swarm_job_fence(job));
    note_incarnation(driver, &line);
    line_payload(&line, swarm_job_payload(job), swarm_job_details(job)->content_type);
    write_note(driver, line);
    driver->added++;
    if (driver->behaviour == BURN) {
        for (double end = now() + driver->burn; now() < end;) continue;
    }
    if (driver->behaviour == ECHO || driver->behaviour == BURN) {
        complete(driver, job);
        return;
    }
    struct line event = {0};
    line_add(&event, "ok event=add");
    line_text(&event, "id", swarm_job_id(job));
    line_number(&event, "fence", swarm_job_fence(job));
    line_number(&event, "crashes", swarm_job_details(job)->crashes);
    show_extras(&event, job);
    line_payload(&event, swarm_job_payload(job), swarm_job_details(job)->content_type);
    keep(driver, job);
    events_push(driver->events, event);
}

static void on_batch(void *user_data, swarm_job *const *jobs, size_t count) {
    worker_driver *driver = user_data;
    driver->added += count;
    line event = {0};
    line_add(&event, "ok event=batch ids=");
    for (size_t i = 0; i < count; i++) line_item(&event, swarm_job_id(jobs[i]), i == 0);
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "fence_%zu", i + 1);
        line_number(&event, name, swarm_job_fence(jobs[i]));
    }
    for (size_t i = 0; i < count; i++) {
        if (driver->behaviour == ECHO) complete(driver, jobs[i]);
        else keep(driver, jobs[i]);
    }
    events_push(driver->events, event);
}

/* Sets the callback for jobs, or for batches of them. */
static swarm_status set_callback(worker_driver *driver, command *command, swarm_error **error) {
    if (command_find(command, "batch_size") == NULL) {
        swarm_worker_on_add(driver->worker, on_add, driver, NULL);
        return SWARM_OK;
    }
    swarm_batch_options batch = SWARM_BATCH_OPTIONS_INIT;
    batch.size = command_number(command, "batch_size");
    if (command_find(command, "batch_wait") != NULL) batch.wait_ms = command_number(command, "batch_wait");
    const char *by = command_find(command, "batch_by");
    if (by != NULL && strcmp(by, "task") != 0) batch.by = strcmp(by, "group") == 0 ? SWARM_BATCH_BY_GROUP : -1;
    return swarm_worker_process_batches(driver->worker, NULL, &batch, on_batch, driver, NULL, error);
}

static void on_delete(void *user_data, swarm_job *job, swarm_delete_reason reason) {
    static const char *const reasons[] = {"deleted", "terminated", "leaselost", "timedout", "moved"};
    worker_driver *driver = user_data;
    line line = note("delete");
    line_text(&line, "job", swarm_job_id(job));
    line_number(&line, "fence", swarm_job_fence(job));
    note_incarnation(driver, &line);
    write_note(driver, line);
    driver->deleted++;
    struct line event = {0};
    line_add(&event, "ok event=delete");
    line_text(&event, "id", swarm_job_id(job));
    line_number(&event, "fence", swarm_job_fence(job));
    line_text(&event, "reason", reasons[reason]);
    swarm_job *kept = take(driver, swarm_job_fence(job));
    if (kept != NULL && driver->behaviour == LATE) complete(driver, kept);
    else if (kept != NULL) swarm_job_free(kept);
    events_push(driver->events, event);
}

static void on_close(void *user_data, const swarm_error *error) {
    worker_driver *driver = user_data;
    line line = note("close");
    note_incarnation(driver, &line);
    write_note(driver, line);
    driver->closed++;
    events_push_close(driver->events, error);
}

static void on_error(void *user_data, const swarm_error *error) {
    worker_driver *driver = user_data;
    events_push_error(driver->events, error);
}

static behaviour behaviour_of(command *command) {
    const char *name = command_find(command, "behave");
    if (name == NULL || strcmp(name, "hold") == 0) return HOLD;
    if (strcmp(name, "echo") == 0) return ECHO;
    if (strcmp(name, "burn") == 0) return BURN;
    if (strcmp(name, "late") == 0) return LATE;
    misuse("no such behaviour", name);
}

worker_driver *worker_driver_new(command *command, line *answer) {
    swarm_options *options = options_of(command);
    swarm_error *error = NULL;
    swarm_worker *worker = NULL;
    swarm_status status = swarm_worker_new(options, &worker, &error);
    swarm_options_free(options);
    if (status != SWARM_OK) {
        line_error(answer, error);
        return NULL;
    }
    worker_driver *driver = calloc(1, sizeof *driver);
    if (driver == NULL) misuse("out of memory", "worker");
    driver->worker = worker;
    driver->events = events_new();
    driver->behaviour = behaviour_of(command);
    if (driver->behaviour == BURN) driver->burn = (double)command_number(command, "burn") / 1000;
    const char *log = command_find(command, "log");
    driver->log = log == NULL ? -1 : open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log != NULL && driver->log < 0) misuse("the journal cannot be opened", log);
    pthread_mutex_init(&driver->lock, NULL);
    pthread_cond_init(&driver->drained, NULL);
    swarm_member_on_ready(swarm_worker_member(worker), on_ready, driver, NULL);
    swarm_worker_on_delete(worker, on_delete, driver, NULL);
    swarm_member_on_close(swarm_worker_member(worker), on_close, driver, NULL);
    swarm_member_on_error(swarm_worker_member(worker), on_error, driver, NULL);
    if (set_callback(driver, command, &error) != SWARM_OK || swarm_worker_start(worker, &error) != SWARM_OK) {
        worker_driver_free(driver);
        line_error(answer, error);
        return NULL;
    }
    return driver;
}

void worker_driver_free(worker_driver *driver) {
    swarm_worker_free(driver->worker);
    while (driver->count > 0) swarm_job_free(driver->jobs[--driver->count]);
    free(driver->jobs);
    events_free(driver->events);
    if (driver->log >= 0) close(driver->log);
    pthread_cond_destroy(&driver->drained);
    pthread_mutex_destroy(&driver->lock);
    free(driver);
}

static void on_drained(void *user_data, const swarm_error *error, const swarm_call *call) {
  (void)call;
    worker_driver *driver = user_data;
    pthread_mutex_lock(&driver->lock);
    driver->is_drained = true;
    driver->drain_status = swarm_error_status(error);
    pthread_cond_signal(&driver->drained);
    pthread_mutex_unlock(&driver->lock);
}

static void await_drain(worker_driver *driver, uint64_t timeout_ms, line *answer) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    uint64_t nanoseconds = (uint64_t)end.tv_nsec + timeout_ms * 1000000;
    end.tv_sec += (time_t)(nanoseconds / 1000000000);
    end.tv_nsec = (long)(nanoseconds % 1000000000);
    pthread_mutex_lock(&driver->lock);
    while (!driver->is_drained && pthread_cond_timedwait(&driver->drained, &driver->lock, &end) == 0) continue;
    swarm_status status = driver->is_drained ? driver->drain_status : SWARM_ERR_TIMEOUT;
    pthread_mutex_unlock(&driver->lock);
    if (status != SWARM_OK) {
        line_clear(answer);
        line_add(answer, "error");
        line_text(answer, "code", swarm_status_name(status));
        line_text(answer, "message", "the worker is not drained");
    }
}

static swarm_error *finish(worker_driver *driver, command *command, swarm_result *result) {
    uint64_t fence = command_number(command, "fence");
    swarm_job *job = take(driver, fence);
    if (job == NULL) misuse("no job is active with the fence", command_text(command, "fence"));
    swarm_error *error = NULL;
    swarm_call *accepted = NULL;
    if (swarm_job_finish(job, result, &accepted, &error) != SWARM_OK) swarm_job_free(job);
    else swarm_call_end(accepted, CALL_MS, &error);
    return error;
}

static swarm_error *store(worker_driver *driver, command *command, swarm_status (*in)(const swarm_job *, swarm_bytes, swarm_error **)) {
    swarm_job *job = take(driver, command_number(command, "fence"));
    if (job == NULL) misuse("no job is active with the fence", command_text(command, "fence"));
    swarm_error *error = NULL;
    in(job, command_payload(command), &error);
    keep(driver, job);
    return error;
}

static swarm_error *add_line(worker_driver *driver, command *command) {
    swarm_job *job = take(driver, command_number(command, "fence"));
    if (job == NULL) misuse("no job is active with the fence", command_text(command, "fence"));
    swarm_error *error = NULL;
    swarm_job_log(job, command_text(command, "text"), &error);
    keep(driver, job);
    return error;
}

static swarm_error *inputs(worker_driver *driver, command *command, line *answer) {
    swarm_job *job = take(driver, command_number(command, "fence"));
    if (job == NULL) misuse("no job is active with the fence", command_text(command, "fence"));
    swarm_error *error = NULL;
    swarm_call *read = NULL;
    if (answered(swarm_job_inputs(job), CALL_MS, &read, &error) == SWARM_OK) line_text(answer, "inputs", swarm_call_json(read));
    swarm_call_free(read);
    keep(driver, job);
    return error;
}

static swarm_error *ready(worker_driver *driver, line *answer) {
    swarm_error *error = NULL;
    swarm_health health = SWARM_HEALTH_INIT;
    if (swarm_call_end(swarm_member_ready(swarm_worker_member(driver->worker)), CALL_MS, &error) != SWARM_OK) return error;
    if (swarm_member_health(swarm_worker_member(driver->worker), &health, &error) == SWARM_OK) line_text(answer, "incarnation", health.incarnation);
    return error;
}

static swarm_error *health(worker_driver *driver, line *answer) {
    swarm_error *error = NULL;
    swarm_health health = SWARM_HEALTH_INIT;
    if (swarm_member_health(swarm_worker_member(driver->worker), &health, &error) == SWARM_OK) line_health(answer, &health);
    return error;
}

static swarm_error *stats(worker_driver *driver, line *answer) {
    swarm_error *error = NULL;
    swarm_stats stats = {0};
    if (stats_of(swarm_worker_member(driver->worker), CALL_MS, &stats, &error) == SWARM_OK) line_stats(answer, &stats);
    return error;
}

static void counts(worker_driver *driver, line *answer) {
    line_number(answer, "added", driver->added);
    line_number(answer, "deleted", driver->deleted);
    line_number(answer, "completed", driver->completed);
    line_number(answer, "refused", driver->refused);
    line_number(answer, "closed", driver->closed);
}

void worker_driver_obey(worker_driver *driver, command *command, line *answer) {
    if (messages_obey((messenger){swarm_worker_member(driver->worker), driver->events}, command, answer)) return;
    const char *name = command->name;
    swarm_error *error = NULL;
    bool existed = false;
    if (strcmp(name, "ready") == 0) {
        error = ready(driver, answer);
    } else if (strcmp(name, "health") == 0) {
        error = health(driver, answer);
    } else if (strcmp(name, "stats") == 0) {
        error = stats(driver, answer);
    } else if (strcmp(name, "counts") == 0) {
        counts(driver, answer);
    } else if (strcmp(name, "event") == 0) {
        events_next(driver->events, command_number(command, "timeout"), answer);
    } else if (strcmp(name, "complete") == 0) {
        error = finish(driver, command, swarm_result_complete(command_payload(command), command_type(command)));
    } else if (strcmp(name, "fail") == 0) {
        error = finish(driver, command, swarm_result_fail(command_text(command, "message")));
    } else if (strcmp(name, "fail_permanently") == 0) {
        error = finish(driver, command, swarm_result_fail_permanently(command_text(command, "message")));
    } else if (strcmp(name, "rate_limited") == 0) {
        error = finish(driver, command, swarm_result_rate_limited(command_number(command, "after"), command_find(command, "limit")));
    } else if (strcmp(name, "retry") == 0) {
        error = finish(driver, command, swarm_result_retry(command_text(command, "message"), command_number(command, "after")));
    } else if (strcmp(name, "progress") == 0) {
        error = store(driver, command, swarm_job_progress);
    } else if (strcmp(name, "checkpoint") == 0) {
        error = store(driver, command, swarm_job_checkpoint);
    } else if (strcmp(name, "log") == 0) {
        error = add_line(driver, command);
    } else if (strcmp(name, "inputs") == 0) {
        error = inputs(driver, command, answer);
    } else if (strcmp(name, "tasks") == 0) {
        size_t count;
        char **tasks = command_list(command, "tasks", &count);
        swarm_worker_set_tasks(driver->worker, (const char *const *)tasks, count, &error);
        free(tasks);
    } else if (control_obey(driver->worker, command, answer, &error)) {
        /* Done. */
    } else if (strcmp(name, "release") == 0) {
        error = finish(driver, command, swarm_result_release());
    } else if (strcmp(name, "delete") == 0) {
        if (delete_jobs(swarm_worker_member(driver->worker), (const char *const[]){command_text(command, "id")}, 1, CALL_MS, &existed, &error) == SWARM_OK) {
            line_flag(answer, "existed", existed);
        }
    } else if (strcmp(name, "drain") == 0) {
        swarm_status status = swarm_call_on_done(swarm_worker_drain(driver->worker), SWARM_NO_TIMEOUT, on_drained, driver, NULL, &error);
        if (status != SWARM_OK && error == NULL) misuse("draining", swarm_status_name(status));
    } else if (strcmp(name, "drained") == 0) {
        await_drain(driver, command_number(command, "timeout"), answer);
    } else if (strcmp(name, "terminate") == 0) {
        swarm_call_end(swarm_worker_terminate(driver->worker, command_number(command, "grace")), SWARM_NO_TIMEOUT, &error);
    } else {
        misuse("no such command for a worker", name);
    }
    if (error != NULL) line_error(answer, error);
}

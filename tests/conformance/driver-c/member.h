/* What masters and workers have in common. */
#ifndef DRIVER_MEMBER_H
#define DRIVER_MEMBER_H

#include "events.h"

/* A limit for calls that have none of their own; the runner gives up later than that. */
#define CALL_MS 30000

typedef struct master_driver master_driver;
typedef struct worker_driver worker_driver;

/* Options of every field but the driver's own. */
swarm_options *options_of(command *command);
/* Waits for a call. SWARM_OK: it is written to `answer`, for its answer to be read, and to be freed. */
swarm_status answered(swarm_call *call, uint64_t timeout_ms, swarm_call **answer, swarm_error **error);
swarm_status stats_of(const swarm_member *member, uint64_t timeout_ms, swarm_stats *stats, swarm_error **error);
/* `existed` has a place for each answer. */
swarm_status delete_jobs(const swarm_member *member, const char *const *ids, size_t count, uint64_t timeout_ms, bool *existed,
                         swarm_error **error);
void line_health(line *answer, const swarm_health *health);
void line_stats(line *answer, const swarm_stats *stats);

/* A field of the command's answer: a value of a JSON object. */
void show(line *answer, const char *object, const char *name);
/* A call whose answer is one value. */
swarm_error *show_value(swarm_call *call, line *answer, const char *name);
/* A list with an item for each of an array: the values of these members, with colons between. */
void show_each(line *answer, const char *name, const char *array, const char *const *members);

/* A number of milliseconds that has a default. */
uint64_t option_limit(command *command, const char *name);
/* The position of a value among the names; one that is none of them is -1, which the library refuses. */
int32_t option_choice(const char *value, const char *const *names);
/* Options of the job that a command adds. They point into the command, and to one header at a time. */
swarm_job_options job_options(command *command);

/* Waits for a call whose answer is one value, as JSON. */
swarm_error *show_value(swarm_call *call, line *answer, const char *name);

/* The jobs of `payloads`, with the ids of `ids`, if there are any. */
typedef struct {
    size_t count;
    swarm_new_job *jobs;
    swarm_job_options *options;
    char **payloads, **ids;
} job_list;

job_list job_list_new(command *command);
void job_list_free(job_list *list);
/* Waits for a call that adds one job, or many. */
swarm_error *show_added(swarm_call *call, line *answer);
swarm_error *show_added_many(swarm_call *call, line *answer);

/* A command for a master; tables of them end with NULL. */
typedef struct master_command {
    const char *name;
    swarm_error *(*obey)(swarm_master *master, command *command, line *answer);
} master_command;

/* In inspect.c, choose.c, control.c, schedules.c, limits.c, flows.c, follow.c and metrics.c. */
extern const master_command look_commands[];
extern const master_command choose_commands[];
extern const master_command control_commands[];
extern const master_command schedule_commands[];
extern const master_command limit_commands[];
extern const master_command flow_commands[];
extern const master_command metrics_commands[];
extern const master_command follow_commands[];
/* Ends the follower of the master, if it has one. */
void follow_end(void);

master_driver *master_driver_new(command *command, line *answer);
void master_driver_free(master_driver *driver);
void master_driver_obey(master_driver *driver, command *command, line *answer);

worker_driver *worker_driver_new(command *command, line *answer);
void worker_driver_free(worker_driver *driver);
/* Commands of a worker in control.c; false if it is none of them. */
bool control_obey(swarm_worker *worker, command *command, line *answer, swarm_error **error);

void worker_driver_obey(worker_driver *driver, command *command, line *answer);

#endif

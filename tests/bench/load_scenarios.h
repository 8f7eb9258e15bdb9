/* The load generator's scenarios, one table entry each (load.c). */
#ifndef LOAD_SCENARIOS_H
#define LOAD_SCENARIOS_H

struct scenario;

extern const struct scenario scenario_push_large;
extern const struct scenario scenario_put;
extern const struct scenario scenario_push_small;
extern const struct scenario scenario_pull_large;
extern const struct scenario scenario_pull_small;
extern const struct scenario scenario_manifest;
extern const struct scenario scenario_get;
extern const struct scenario scenario_api;

/*
 * load start --to ADDRESS:PORT [--path P] -- COMMAND...: run the command and measure the time from
 * there until it answers the first request (any status).  Then ends it by SIGTERM.  The program's
 * exit status.
 */
int start_main(const char *host, const char *path, char **command);

#endif

/*
 * The command line's verbs. Each takes the words behind it and returns the process's exit code: 0, 1 for a
 * failure while running, 2 for wrong usage.
 */
#ifndef DRYDOCK_SERVER_VERBS_H
#define DRYDOCK_SERVER_VERBS_H

int verb_serve(int argc, char **argv);     /* until a signal ends it */
int verb_health(int argc, char **argv);    /* asks a running server */
int verb_import(int argc, char **argv);    /* an archive into a repository */
int verb_export(int argc, char **argv);    /* an image into an archive */
int verb_gc(int argc, char **argv);        /* collects what no image holds */
int verb_ca(int argc, char **argv);        /* the local certificate authority */
int verb_hosts(int argc, char **argv);     /* lines for the hosts file */
int verb_policy(int argc, char **argv);    /* what is decided for a request, and why */
int verb_lifecycle(int argc, char **argv); /* explains lifecycle policies */
int verb_check(int argc, char **argv);     /* verifies a data folder */

#endif

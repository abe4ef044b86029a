/* arguments.h -- the command line, read before anything runs. */
#ifndef SL_ARGUMENTS_H
#define SL_ARGUMENTS_H

enum { EXIT_USAGE = 2, MAX_SETTINGS = 32 };

/* One of our own options, for sota.core.set(name, value). */
typedef struct setting {
  char name[32];
  const char *value;
} setting;

typedef struct arguments {
  int script; /* index of the script's name in argv; argc: there is none */
  int from_stdin;
  int interactive, version, ignore_env, warnings, doctor, help;
  int stub, luarc, reference;
  int n_statements;    /* how many -e */
  const char *check;   /* a model file or a folder of images to check */
  const char *profile; /* NULL: none; "": without a trace; or its file */
  setting settings[MAX_SETTINGS];
  int n_settings;
} arguments;

/* 0, or EXIT_USAGE after a message on stderr. -e and -l are only counted: they
 * run later, in their order. */
int read_arguments(int argc, char **argv, arguments *a);

extern const char usage[];

#endif

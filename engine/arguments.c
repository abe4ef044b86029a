/* arguments.c -- see arguments.h. lua's flags are read as lua.c 5.4 does. */
#include "arguments.h"

#include <stdio.h>
#include <string.h>

#include "lua/slua.h"

const char usage[] =
    "usage: sota-lua [options] [script [arguments of the script]]\n"
    "\n"
    "  -e STAT          run the statement\n"
    "  -i               go to the prompt after the script\n"
    "  -l MOD, -l G=MOD require the module, into a global of its name or G\n"
    "  -v, --version    show the version\n"
    "  -E               ignore LUA_INIT, LUA_PATH and LUA_CPATH\n"
    "  -W               turn warnings on (they are: warn('@off') ends them)\n"
    "  -                run standard input\n"
    "  --               no more options\n"
    "\n"
    "  --device NAME    auto, cpu, cuda or cuda:N (default auto)\n"
    "  --seed N         where all random numbers come from (default 42)\n"
    "  --threads N      compute threads (default: one per core)\n"
    "  --precision P    auto, f32 or bf16 (default auto)\n"
    "  --deterministic  same bits run after run; no times in model files\n"
    "  --memory-limit S such as 4GB: more is an error, not the end\n"
    "  --allow-untrusted-images  read PNM, BMP, JPEG 2000 too\n"
    "  --check PATH     is a model file, are a folder's images, sound?\n"
    "  --traceback T    of an error: short (your lines) or full (all)\n"
    "  --profile[=FILE] say at exit where the time went; FILE: a Chrome trace\n"
    "  --doctor         what was found, what is missing, how to get it\n"
    "  --stub           for editors: all names and options (LuaCATS)\n"
    "  --luarc          for editors: a .luarc.json that finds the stub\n"
    "  --reference      all that help() says, in Markdown\n"
    "  -h, --help       this\n"
    "\n"
    "Without a script: the prompt on a terminal, else standard input is run.\n";

static int wrong(const char *what, const char *arg, const char *near) {
  fprintf(stderr, "sota-lua: %s '%s'", what, arg);
  if (near) fprintf(stderr, "; did you mean --%s?", near);
  fprintf(stderr, "\nsota-lua --help lists the options.\n");
  return EXIT_USAGE;
}

static int keep(arguments *a, const char *name, size_t n, const char *value) {
  if (a->n_settings == MAX_SETTINGS)
    return wrong("too many options, from", value, NULL);
  setting *s = &a->settings[a->n_settings++];
  snprintf(s->name, sizeof s->name, "%.*s", (int)n, name);
  s->value = value;
  return 0;
}

static int *flag_of(arguments *a, const char *name) {
  const struct {
    const char *name;
    int *flag;
  } flags[] = {{"version", &a->version}, {"doctor", &a->doctor},
               {"help", &a->help},       {"stub", &a->stub},
               {"luarc", &a->luarc},     {"reference", &a->reference}};
  for (int i = 0; i < 6; i++)
    if (strcmp(name, flags[i].name) == 0) return flags[i].flag;
  return NULL;
}

/* --name, --name=value or --name value. */
static int long_option(char **argv, int *i, arguments *a) {
  static const char *const valued[] = {
      "device",       "seed",  "threads",   "precision",
      "memory-limit", "check", "traceback", NULL};
  static const char *const flags[] = {"deterministic", "allow-untrusted-images",
                                      NULL};
  const char *name = argv[*i] + 2, *equals = strchr(name, '=');
  const size_t n = equals ? (size_t)(equals - name) : strlen(name);
  int *flag = flag_of(a, name);
  if (flag) return *flag = 1, 0;
  if (n == 7 && strncmp(name, "profile", n) == 0) {
    a->profile = equals ? equals + 1 : "";
    return equals && !equals[1]
               ? wrong("a file's name is missing after", argv[*i], NULL)
               : 0;
  }
  for (int k = 0; flags[k]; k++)
    if (strcmp(name, flags[k]) == 0) return keep(a, name, n, "true");
  for (int k = 0; valued[k]; k++) {
    if (strlen(valued[k]) != n || strncmp(valued[k], name, n) != 0) continue;
    const char *value = equals ? equals + 1 : argv[*i + 1];
    if (!value || (!equals && *value == '-'))
      return wrong("a value is missing after", argv[*i], NULL);
    *i += !equals;
    if (strcmp(valued[k], "check") == 0) return a->check = value, 0;
    return keep(a, name, n, value);
  }
  static const char *const all[] = {
      "device",    "seed",   "threads",      "help",
      "precision", "doctor", "version",      "deterministic",
      "profile",   "check",  "memory-limit", "allow-untrusted-images",
      "traceback", "stub",   "luarc",        "reference",
      NULL};
  char word[32]; /* without =value; longer ones resemble nothing */
  snprintf(word, sizeof word, "%.*s", (int)n, name);
  return wrong("unknown option", argv[*i], slua_nearest(word, all));
}

/* A flag of one letter and nothing behind it. */
static int letter(const char *arg, arguments *a) {
  const struct {
    char letter;
    int *flag;
  } flags[] = {{'i', &a->interactive},
               {'v', &a->version},
               {'E', &a->ignore_env},
               {'W', &a->warnings},
               {'h', &a->help}};
  for (int i = 0; i < 5 && !arg[2]; i++)
    if (arg[1] == flags[i].letter) return *flags[i].flag = 1, 0;
  return wrong("unknown option", arg, NULL);
}

/* -eSTAT, -e STAT, -lMOD, -l MOD: as in lua, the next word is no option. */
static int action(char **argv, int *i, arguments *a) {
  const char *arg = argv[*i];
  if (arg[1] == 'e') a->n_statements++;
  if (arg[2]) return 0;
  const char *value = argv[++*i];
  if (!value || value[0] == '-')
    return wrong("a value is missing after", arg, NULL);
  return 0;
}

int read_arguments(int argc, char **argv, arguments *a) {
  int i = 1, status = 0;
  *a = (arguments){0};
  for (; i < argc && argv[i][0] == '-' && status == 0; i++) {
    const char *arg = argv[i];
    if (strcmp(arg, "-") == 0) {
      a->from_stdin = 1;
      break;
    }
    if (strcmp(arg, "--") == 0) {
      i++;
      break;
    }
    if (arg[1] == '-')
      status = long_option(argv, &i, a);
    else if (arg[1] == 'e' || arg[1] == 'l')
      status = action(argv, &i, a);
    else
      status = letter(arg, a);
  }
  a->script = i;
  return status;
}

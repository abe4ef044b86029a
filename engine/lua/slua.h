/* slua.h -- the Lua face of the engine. Only lua/ includes Lua's headers.
 *
 * The folder: slua_box.c has the box that holds a tensor, scopes and the soft
 * memory limit; slua_options.c reads option tables; slua_op.c binds every op
 * of the registry at once; slua_tensor.c has the methods of a tensor. Each
 * further slua_<part>.c binds one part of the engine and gives one
 * slua_open_<part>, listed in core.c.
 *
 * Rules (lua_error is a longjmp): read arguments first; make the empty box;
 * let the engine write into the box; raise last. Between "the engine gave me
 * something" and "it is in a box" there is no call of Lua. Pointers from the
 * stack are void after anything that may run the collector. */
#ifndef SL_LUA_SLUA_H
#define SL_LUA_SLUA_H

#include <lauxlib.h>
#include <lua.h>

#include "base/status.h"
#include "ops/op.h"
#include "tensor/tensor.h"

#define SLUA_TENSOR "sota.tensor"

#ifdef __clang_analyzer__ /* Lua's headers do not say that these do not return \
                           */
int luaL_error(lua_State *L, const char *fmt, ...) __attribute__((noreturn));
int lua_error(lua_State *L) __attribute__((noreturn));
#endif

/* A userdata that owns one reference, or none while t is NULL. Boxes made
 * while a scope is open are linked into it. */
typedef struct slua_box {
  sl_tensor *t;
  struct slua_box *prev, *next; /* NULL: in no scope */
} slua_box;

/* Pushes an empty box. Runs a full collection first when much native memory
 * has been taken since the last one. */
slua_box *slua_newbox(lua_State *L);
slua_box *slua_checkbox(lua_State *L, int arg);     /* any box, open or not */
sl_tensor *slua_checktensor(lua_State *L, int arg); /* borrowed; open */
sl_tensor *slua_totensor(lua_State *L, int arg);    /* NULL: not a tensor */

/* Raises "what: message" unless status is SL_OK. what may be NULL. Does not
 * return then. A Lua error carried as SL_ELUA is raised as it was. */
void slua_check(lua_State *L, sl_status status, const char *what);

/* Scopes: slua_scope_open returns a mark for slua_scope_close, which releases
 * every tensor made since, but those moved out by slua_scope_keep. Scopes nest;
 * closing a mark closes what was opened after it. */
int slua_scope_open(lua_State *L);
void slua_scope_close(lua_State *L, int mark);
void slua_scope_keep(lua_State *L, int arg); /* to the enclosing scope */
void slua_scope_keep_for_ever(lua_State *L, int arg);

/* Fills opts (of size bytes) from defaults, then from the stack at arg: either
 * one table {name = value, ...} whose list part is the first list option
 * ({1, 2} for dims), or values by place in the order of the descriptions.
 * Unknown names, wrong types and values out of range are errors that name
 * `what` and the option. */
void slua_check_options(lua_State *L, int arg, const sl_option *options,
                        void *opts, size_t size, const char *what);

/* Tensors and texts of a list, held while C works on them: slua_hold.c.
 * slua_hold pushes room for n; a tensor or text that is none (or closed) is
 * NULL and not held. slua_let_go when the work is done, or the collector. */
typedef struct slua_held {
  lua_Integer n;
  sl_tensor *at[];
} slua_held;

slua_held *slua_hold(lua_State *L, lua_Integer n);
sl_tensor *slua_hold_tensor(lua_State *L, slua_held *h, int arg);
const char *slua_hold_text(lua_State *L, int held, int arg);
void slua_let_go(slua_held *h);

/* Length of a list. Of a table it is the true one, not what a metatable says:
 * memory is taken for that many. */
lua_Integer slua_len(lua_State *L, int index);

/* Every key of the table at t, if there is one, must be one of names (ended by
 * NULL); for tables that hold more than numbers. */
void slua_check_keys(lua_State *L, int t, const char *const *names,
                     const char *what);

/* The name in names (ended by NULL) nearest to key, or NULL if none is near:
 * for "did you mean". */
const char *slua_nearest(const char *key, const char *const *names);

/* A table of functions: luaL_newlib for parts, with arrays that end in NULL. */
typedef int slua_opener(lua_State *L); /* adds to the table on top */

/* pcall with a traceback added to string errors. Like lua_pcall. Of the frames
 * only the user's are in it, unless the setting "traceback" is "full". */
int slua_pcall(lua_State *L, int n_args, int n_results);

/* "short" or "full"; NULL asks. Returns what holds; NULL: no such value. */
const char *slua_traceback_set(const char *which);

/* Pushes the text of the error value on top, which stays, and returns it. Never
 * raises, whatever the value and its __tostring are. */
const char *slua_error_text(lua_State *L);

/* Pops the error value, and prints "prefix" and its text on stderr: in colour
 * on a terminal. */
void slua_error_print(lua_State *L, const char *prefix);

/* Whether stderr is a terminal that shows colours. */
int slua_has_colours(void);

/* An sl_spec's shape from arguments: numbers from arg on, or one table. */
void slua_check_shape(lua_State *L, int arg, sl_ints *shape);

/* Pushes a table that describes an option, for help() and the editor stub. */
void slua_push_option(lua_State *L, const sl_option *o);

/* The batch transforms that sota.core.augment.new made (slua_augment.c);
 * borrowed. */
struct sl_augment *slua_checkaugment(lua_State *L, int arg);

/* The backend named at arg, or the default; raises when there is none. */
const sl_backend *slua_check_device(lua_State *L, int arg);

/* sl_backward; parts of the graph that are computed again run in L. */
SL_MUST_USE sl_status slua_backward(lua_State *L, sl_tensor *loss,
                                    sl_tensor *seed);

/* Every element becomes value, in place. */
SL_MUST_USE sl_status slua_fill(sl_tensor *t, double value);

/* Calls from outside: the module. */
__attribute__((visibility("default"))) int luaopen_sota_core(lua_State *L);

#endif

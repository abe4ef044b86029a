/* slua_data.h -- what the files that bind engine/data share.
 *
 * They make the table sota.core.data. It is thin: scripts/sota/data builds
 * DataBlock and DataLoaders on it. Rows and classes count from 1.
 *
 *   slua_table.c   reading option tables
 *   slua_files.c   files, rows, classes
 *   slua_split.c   splits
 *   slua_item.c    item pipelines
 *   slua_decoded.c decoded images kept
 *   slua_loader.c  loaders
 *   slua_fetch.c   downloads, the cache folder */
#ifndef SL_LUA_SLUA_DATA_H
#define SL_LUA_SLUA_DATA_H

#include "data/files.h"
#include "data/item.h"
#include "data/labels.h"
#include "lua/slua.h"

/* --- option tables (slua_table.c) ------------------------------------------
 * The table is at index t, or there is none or nil; `what` begins messages. */

lua_Integer slua_get_int(lua_State *L, int t, const char *key, lua_Integer def,
                         const char *what);
double slua_get_number(lua_State *L, int t, const char *key, double def,
                       const char *what);
int slua_get_flag(lua_State *L, int t, const char *key, int def,
                  const char *what);

/* Valid while the table holds it. */
const char *slua_get_text(lua_State *L, int t, const char *key, const char *def,
                          const char *what);

/* Pushes the value; its index, or 0 with nothing pushed when it is nil. */
int slua_get(lua_State *L, int t, const char *key);

/* The list of texts at arg as an array that ends with NULL; pushes a userdata
 * that holds it and the list itself, so that it stays valid. */
const char **slua_check_texts(lua_State *L, int arg, int *n, const char *what);

/* --- boxes ---------------------------------------------------------------- */

#define SLUA_FILES    "sota.files"
#define SLUA_ROWS     "sota.rows"
#define SLUA_VOCAB    "sota.vocab"
#define SLUA_PIPELINE "sota.pipeline"
#define SLUA_LOADER   "sota.loader"
#define SLUA_DECODED  "sota.decoded"

/* Row numbers, from 0: plain memory of Lua, so nothing to close. */
typedef struct slua_rows {
  int64_t n;
  int64_t v[];
} slua_rows;

slua_rows *slua_new_rows(lua_State *L, int64_t n); /* pushed; not filled */

/* Rows, or a list of numbers, which becomes rows in its place at arg. */
slua_rows *slua_check_rows(lua_State *L, int arg);

sl_files *slua_check_files(lua_State *L, int arg);
sl_vocab *slua_check_vocab(lua_State *L, int arg);
sl_item_pipeline *slua_check_pipeline(lua_State *L, int arg);
sl_decoded *slua_check_decoded(lua_State *L, int arg);

/* Pushes the table `data` of the module on top of the stack, made at need. */
void slua_data_table(lua_State *L);

/* Makes the metatable `name`: methods (ended by NULL), __index = itself. */
void slua_new_class(lua_State *L, const char *name, const luaL_Reg *methods);

#endif

/* slua_files.c -- file lists, rows and classes in Lua.
 *
 *   data.scan(path [, {recurse=, folders=, extensions=}]) -> files, seen
 *       the images below path, sorted; seen = {files=, others=, hidden=,
 *       unreadable=}
 *   data.files() -> files                an empty list
 *   data.parent_label(path [, up = 1]) -> name of a folder above the file
 *
 *   #files, files:path(i), files:add(path)
 *   files:set_label(i, text | {text, ...})
 *   files:label_by_folder([up = 1])      1: parent_label, 2: grandparent
 *   files:labels(i) -> {text, ...}, or nil when it was never given any
 *
 *   data.content_hash(path) -> text: equal for files with equal bytes
 *
 *   data.rows{3, 1, 2} -> rows           #rows, rows[i], rows:totable()
 *
 *   data.vocab(files [, rows]) -> vocab  sorted, unique labels of these rows
 *   data.vocab{"cat", "dog"} -> vocab    in this order
 *   #vocab, vocab[k], vocab:find(name) -> k or nil, vocab:totable() */
#include <string.h>

#include "data/content.h"
#include "data/scan.h"
#include "lua/slua_data.h"
#include "train/progress.h"

/* --- rows ----------------------------------------------------------------- */

slua_rows *slua_new_rows(lua_State *L, int64_t n) {
  slua_rows *r =
      lua_newuserdatauv(L, sizeof *r + (size_t)n * sizeof r->v[0], 0);
  r->n = n;
  luaL_setmetatable(L, SLUA_ROWS);
  return r;
}

static slua_rows *rows_of_list(lua_State *L, int arg) {
  const lua_Integer n = slua_len(L, arg);
  slua_rows *r = slua_new_rows(L, n);
  for (lua_Integer i = 1; i <= n; i++) {
    int ok;
    lua_geti(L, arg, i);
    r->v[i - 1] = lua_tointegerx(L, -1, &ok) - 1;
    if (!ok || r->v[i - 1] < 0)
      luaL_error(L, "rows are whole numbers from 1, but item %I is %s", i,
                 luaL_tolstring(L, -1, NULL));
    lua_pop(L, 1);
  }
  lua_replace(L, arg);
  return r;
}

slua_rows *slua_check_rows(lua_State *L, int arg) {
  if (lua_type(L, arg) == LUA_TTABLE) return rows_of_list(L, arg);
  return luaL_checkudata(L, arg, SLUA_ROWS);
}

static int new_rows(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  rows_of_list(L, 1);
  return 1;
}

static int rows_len(lua_State *L) {
  const slua_rows *r = luaL_checkudata(L, 1, SLUA_ROWS);
  lua_pushinteger(L, r->n);
  return 1;
}

static int rows_index(lua_State *L) { /* rows[i], else a method */
  const slua_rows *r = luaL_checkudata(L, 1, SLUA_ROWS);
  if (lua_type(L, 2) == LUA_TNUMBER) {
    const lua_Integer i = luaL_checkinteger(L, 2);
    if (i < 1 || i > r->n) return 0;
    lua_pushinteger(L, r->v[i - 1] + 1);
    return 1;
  }
  lua_getmetatable(L, 1);
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}

static int rows_totable(lua_State *L) {
  const slua_rows *r = luaL_checkudata(L, 1, SLUA_ROWS);
  lua_createtable(L, (int)r->n, 0);
  for (int64_t i = 0; i < r->n; i++) {
    lua_pushinteger(L, r->v[i] + 1);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int rows_tostring(lua_State *L) {
  const slua_rows *r = luaL_checkudata(L, 1, SLUA_ROWS);
  lua_pushfstring(L, "[%I rows]", (lua_Integer)r->n);
  return 1;
}

/* --- files ---------------------------------------------------------------- */

typedef struct files_box {
  sl_files *f;
} files_box;

static files_box *new_files_box(lua_State *L) {
  files_box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (files_box){0};
  luaL_setmetatable(L, SLUA_FILES);
  return b;
}

sl_files *slua_check_files(lua_State *L, int arg) {
  const files_box *b = luaL_checkudata(L, arg, SLUA_FILES);
  if (!b->f) luaL_error(L, "this file list has been closed");
  return b->f;
}

static int64_t check_row(lua_State *L, const sl_files *f, int arg) {
  const lua_Integer i = luaL_checkinteger(L, arg);
  luaL_argcheck(L, i >= 1 && i <= sl_files_count(f), arg,
                "there is no such row");
  return i - 1;
}

static int files_close(lua_State *L) {
  files_box *b = luaL_checkudata(L, 1, SLUA_FILES);
  sl_files_release(b->f);
  b->f = NULL;
  return 0;
}

static int new_files(lua_State *L) {
  files_box *b = new_files_box(L);
  slua_check(L, sl_files_new(&b->f), "files");
  return 1;
}

static int push_seen(lua_State *L, const sl_scan_seen *seen) {
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, seen->files);
  lua_setfield(L, -2, "files");
  lua_pushinteger(L, seen->others);
  lua_setfield(L, -2, "others");
  lua_pushinteger(L, seen->hidden);
  lua_setfield(L, -2, "hidden");
  lua_pushinteger(L, seen->unreadable);
  lua_setfield(L, -2, "unreadable");
  return 2;
}

static void show_found(void *context, int64_t files) {
  sl_progress_update(context, files, files);
}

static sl_status scan_shown(const char *path, sl_scan_opts *o, sl_files *f,
                            sl_scan_seen *seen) {
  sl_progress p = sl_progress_new();
  sl_progress_start(&p, "finding files", 0, "files");
  sl_progress_delay(&p, 0.4);
  o->progress = show_found;
  o->context = &p;
  const sl_status status = sl_scan(path, o, f, seen);
  sl_progress_clear(&p);
  return status;
}

static int scan(lua_State *L) {
  static const char *const names[] = {"recurse", "folders", "extensions", NULL};
  const char *path = luaL_checkstring(L, 1);
  sl_scan_opts o = {0};
  sl_scan_seen seen;
  int at, n;
  slua_check_keys(L, 2, names, "scan");
  o.flat = !slua_get_flag(L, 2, "recurse", 1, "scan");
  if ((at = slua_get(L, 2, "folders")) != 0)
    o.folders = slua_check_texts(L, at, &o.n_folders, "scan");
  if ((at = slua_get(L, 2, "extensions")) != 0)
    o.extensions = slua_check_texts(L, at, &n, "scan");
  files_box *b = new_files_box(L);
  slua_check(L, sl_files_new(&b->f), "scan");
  slua_check(L, scan_shown(path, &o, b->f, &seen), NULL);
  return push_seen(L, &seen);
}

static int parent_label(lua_State *L) {
  const char *path = luaL_checkstring(L, 1), *name;
  const int up = (int)luaL_optinteger(L, 2, 1);
  size_t len;
  slua_check(L, sl_path_folder(path, up, &name, &len), "parent_label");
  lua_pushlstring(L, name, len);
  return 1;
}

static int files_len(lua_State *L) {
  lua_pushinteger(L, sl_files_count(slua_check_files(L, 1)));
  return 1;
}

static int files_path(lua_State *L) {
  const sl_files *f = slua_check_files(L, 1);
  char path[4096];
  sl_files_path(f, check_row(L, f, 2), path, sizeof path);
  lua_pushstring(L, path);
  return 1;
}

static int files_add(lua_State *L) {
  sl_files *f = slua_check_files(L, 1);
  slua_check(L, sl_files_add(f, luaL_checkstring(L, 2)), "add");
  return 0;
}

static int files_set_label(lua_State *L) {
  sl_files *f = slua_check_files(L, 1);
  const int64_t i = check_row(L, f, 2);
  if (lua_type(L, 3) != LUA_TTABLE) {
    slua_check(L, sl_files_set_label(f, i, luaL_checkstring(L, 3)),
               "set_label");
    return 0;
  }
  int n;
  const char **labels = slua_check_texts(L, 3, &n, "set_label");
  slua_check(L, sl_files_set_labels(f, i, labels, n), "set_label");
  return 0;
}

static int files_label_by_folder(lua_State *L) {
  sl_files *f = slua_check_files(L, 1);
  const int up = (int)luaL_optinteger(L, 2, 1);
  slua_check(L, sl_files_label_by_folder(f, up), "label_by_folder");
  return 0;
}

static int files_labels(lua_State *L) {
  const sl_files *f = slua_check_files(L, 1);
  const int64_t i = check_row(L, f, 2);
  const int n = sl_files_label_count(f, i);
  if (n < 0) return 0;
  lua_createtable(L, n, 0);
  for (int j = 0; j < n; j++) {
    lua_pushstring(L, sl_files_label(f, i, j));
    lua_rawseti(L, -2, j + 1);
  }
  return 1;
}

static int files_tostring(lua_State *L) {
  const files_box *b = luaL_checkudata(L, 1, SLUA_FILES);
  if (b->f)
    lua_pushfstring(L, "[%I files]", (lua_Integer)sl_files_count(b->f));
  else
    lua_pushliteral(L, "[closed file list]");
  return 1;
}

/* --- classes -------------------------------------------------------------- */

typedef struct vocab_box {
  sl_vocab *v;
} vocab_box;

sl_vocab *slua_check_vocab(lua_State *L, int arg) {
  const vocab_box *b = luaL_checkudata(L, arg, SLUA_VOCAB);
  if (!b->v) luaL_error(L, "this class list has been closed");
  return b->v;
}

static vocab_box *new_vocab_box(lua_State *L) {
  vocab_box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (vocab_box){0};
  luaL_setmetatable(L, SLUA_VOCAB);
  return b;
}

static int vocab_of_names(lua_State *L) {
  int n;
  const char **names = slua_check_texts(L, 1, &n, "vocab");
  vocab_box *b = new_vocab_box(L);
  slua_check(L, sl_vocab_from_names(names, n, &b->v), "vocab");
  return 1;
}

static void check_range(lua_State *L, const sl_files *f, const slua_rows *r) {
  for (int64_t i = 0; i < r->n; i++)
    if (r->v[i] >= sl_files_count(f))
      luaL_error(L, "row %I is not in a list of %I files",
                 (lua_Integer)r->v[i] + 1, (lua_Integer)sl_files_count(f));
}

static int new_vocab(lua_State *L) {
  if (lua_type(L, 1) == LUA_TTABLE) return vocab_of_names(L);
  const sl_files *f = slua_check_files(L, 1);
  const slua_rows *r = lua_isnoneornil(L, 2) ? NULL : slua_check_rows(L, 2);
  if (r) check_range(L, f, r);
  vocab_box *b = new_vocab_box(L);
  slua_check(L,
             sl_vocab_from_rows(f, r ? r->v : NULL,
                                r ? r->n : sl_files_count(f), &b->v),
             "vocab");
  return 1;
}

static int vocab_gc(lua_State *L) {
  vocab_box *b = luaL_checkudata(L, 1, SLUA_VOCAB);
  sl_vocab_free(b->v);
  b->v = NULL;
  return 0;
}

static int vocab_len(lua_State *L) {
  lua_pushinteger(L, sl_vocab_size(slua_check_vocab(L, 1)));
  return 1;
}

static int vocab_index(lua_State *L) { /* vocab[k], else a method */
  const sl_vocab *v = slua_check_vocab(L, 1);
  if (lua_type(L, 2) == LUA_TNUMBER) {
    const lua_Integer k = luaL_checkinteger(L, 2);
    if (k < 1 || k > sl_vocab_size(v)) return 0;
    lua_pushstring(L, sl_vocab_name(v, (int)k));
    return 1;
  }
  lua_getmetatable(L, 1);
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}

static int vocab_find(lua_State *L) {
  const int k = sl_vocab_find(slua_check_vocab(L, 1), luaL_checkstring(L, 2));
  if (k == 0) return 0;
  lua_pushinteger(L, k);
  return 1;
}

static int vocab_totable(lua_State *L) {
  const sl_vocab *v = slua_check_vocab(L, 1);
  lua_createtable(L, sl_vocab_size(v), 0);
  for (int k = 1; k <= sl_vocab_size(v); k++) {
    lua_pushstring(L, sl_vocab_name(v, k));
    lua_rawseti(L, -2, k);
  }
  return 1;
}

static int vocab_tostring(lua_State *L) {
  const sl_vocab *v = slua_check_vocab(L, 1);
  lua_pushfstring(L, "[%d classes:", sl_vocab_size(v));
  for (int k = 1; k <= sl_vocab_size(v) && k <= 20; k++) {
    lua_pushfstring(L, "%s %s", k > 1 ? "," : "", sl_vocab_name(v, k));
    lua_concat(L, 2);
  }
  lua_pushstring(L, sl_vocab_size(v) > 20 ? ", ...]" : "]");
  lua_concat(L, 2);
  return 1;
}

/* content_hash(path) -> 32 hexadecimal digits, or nil and why */
static int content_hash(lua_State *L) {
  char text[SL_CONTENT_HASH + 1];
  if (sl_content_hash(luaL_checkstring(L, 1), text) == SL_OK) {
    lua_pushstring(L, text);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, sl_error());
  return 2;
}

int slua_open_files(lua_State *L);
int slua_open_files(lua_State *L) {
  const luaL_Reg rows[] = {{"__len", rows_len},
                           {"__index", rows_index},
                           {"__tostring", rows_tostring},
                           {"totable", rows_totable},
                           {NULL, NULL}};
  const luaL_Reg files[] = {{"__gc", files_close},
                            {"__close", files_close},
                            {"__len", files_len},
                            {"__tostring", files_tostring},
                            {"close", files_close},
                            {"path", files_path},
                            {"add", files_add},
                            {"set_label", files_set_label},
                            {"label_by_folder", files_label_by_folder},
                            {"labels", files_labels},
                            {NULL, NULL}};
  const luaL_Reg vocab[] = {{"__gc", vocab_gc},
                            {"__len", vocab_len},
                            {"__index", vocab_index},
                            {"__tostring", vocab_tostring},
                            {"find", vocab_find},
                            {"totable", vocab_totable},
                            {NULL, NULL}};
  const luaL_Reg functions[] = {
      {"scan", scan},     {"files", new_files}, {"parent_label", parent_label},
      {"rows", new_rows}, {"vocab", new_vocab}, {"content_hash", content_hash},
      {NULL, NULL}};
  slua_new_class(L, SLUA_ROWS, rows);
  slua_new_class(L, SLUA_FILES, files);
  slua_new_class(L, SLUA_VOCAB, vocab);
  slua_data_table(L);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
  return 0;
}

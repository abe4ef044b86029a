/* dnn_text.cpp -- programs of the fake cuDNN as text: numbers with spaces
 * between them, each list after its length. One function walks through a
 * program for both directions. */
#include <sstream>

#include "dnn_program.h"

namespace {

struct writer {
  std::ostringstream to;
  template <class T> void value(T &v) {
    to << v << ' ';
  }
  template <class T> size_t length(T &list) {
    to << list.size() << ' ';
    return list.size();
  }
};

struct reader {
  std::istringstream from;
  template <class T> void value(T &v) {
    if (!(from >> v))
      throw dnn_error{CUDNN_STATUS_BAD_PARAM, "a plan that breaks off"};
  }
  template <class T> size_t length(T &) {
    size_t n = 0;
    value(n);
    if (n > 1000) throw dnn_error{CUDNN_STATUS_BAD_PARAM, "not a plan"};
    return n;
  }
};

template <class S> void walk(S &s, std::vector<int64_t> &v) {
  v.resize(s.length(v));
  for (int64_t &x : v)
    s.value(x);
}

template <class S, class E> void walk_enum(S &s, E &e) {
  int v = (int)e;
  s.value(v);
  e = (E)v;
}

template <class S> void walk(S &s, dnn_tensor &t) {
  s.value(t.uid);
  s.value(t.alignment);
  walk_enum(s, t.dtype);
  walk(s, t.size);
  walk(s, t.stride);
  s.value(t.is_virtual);
  s.value(t.by_value);
}

template <class S> void walk(S &s, dnn_operation &o);

/* Entries of a map are written in order, and read into an empty one. */
template <class S, class K>
void walk_map(S &s, std::map<K, dnn_tensor> &tensors) {
  const size_t n = s.length(tensors);
  auto i = tensors.begin();
  for (size_t k = 0; k < n; k++) {
    K key = i == tensors.end() ? K() : i->first;
    s.value(key);
    dnn_tensor t = i == tensors.end() ? dnn_tensor() : (i++)->second;
    walk(s, t);
    tensors[key] = t;
  }
}

template <class S> void walk(S &s, dnn_operation &o) {
  walk_enum(s, o.type);
  walk_map(s, o.tensors);
  for (auto *list : {&o.pre, &o.post, &o.stride, &o.dilation})
    walk(s, *list);
  s.value(o.mode);
  for (auto *v : {&o.alpha, &o.beta, &o.lower, &o.upper, &o.slope, &o.swish})
    s.value(*v);
}

template <class S> void walk(S &s, dnn_program &p) {
  p.operations.resize(s.length(p.operations));
  for (dnn_operation &o : p.operations)
    walk(s, o);
  walk_map(s, p.tensors);
  s.value(p.workspace);
}

} // namespace

std::string dnn_write(const dnn_program &p) {
  dnn_program copy = p;
  writer w;
  w.to.precision(17);
  walk(w, copy);
  return w.to.str();
}

std::shared_ptr<const dnn_program> dnn_read(const std::string &text) {
  auto p = std::make_shared<dnn_program>();
  reader r{std::istringstream(text)};
  walk(r, *p);
  return p;
}

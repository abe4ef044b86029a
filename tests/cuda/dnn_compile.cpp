/* dnn_compile.cpp -- reads the descriptors of an operation graph. */
#include <string.h>

#include "dnn_program.h"

namespace {

[[noreturn]] void refuse(cudnnStatus_t status, const std::string &text) {
  throw dnn_error{status, text};
}

std::string shape(const dnn_tensor &t) {
  std::string s = "(";
  for (size_t i = 0; i < t.size.size(); i++)
    s += (i ? ", " : "") + std::to_string(t.size[i]);
  return s + ")";
}

/* One kind of node: its tensors, those of them that are written first. */
struct kind {
  cudnnBackendDescriptorType_t type;
  int description; /* attribute with the descriptor of its settings, or 0 */
  std::vector<int> required, optional;
};

const std::vector<kind> kinds = {
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
     {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y},
     {}},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
     {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY},
     {}},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
     {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY},
     {}},
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR,
     {CUDNN_ATTR_OPERATION_POINTWISE_XDESC},
     {CUDNN_ATTR_OPERATION_POINTWISE_BDESC,
      CUDNN_ATTR_OPERATION_POINTWISE_TDESC,
      CUDNN_ATTR_OPERATION_POINTWISE_YDESC,
      CUDNN_ATTR_OPERATION_POINTWISE_DYDESC,
      CUDNN_ATTR_OPERATION_POINTWISE_DXDESC}},
    {CUDNN_BACKEND_OPERATION_GEN_STATS_DESCRIPTOR,
     0,
     {CUDNN_ATTR_OPERATION_GENSTATS_XDESC,
      CUDNN_ATTR_OPERATION_GENSTATS_SUMDESC,
      CUDNN_ATTR_OPERATION_GENSTATS_SQSUMDESC},
     {}},
    {CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_REDUCTION_DESC,
     {CUDNN_ATTR_OPERATION_REDUCTION_XDESC,
      CUDNN_ATTR_OPERATION_REDUCTION_YDESC},
     {}},
    {CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_MATMUL_DESC,
     {CUDNN_ATTR_OPERATION_MATMUL_ADESC, CUDNN_ATTR_OPERATION_MATMUL_BDESC,
      CUDNN_ATTR_OPERATION_MATMUL_CDESC},
     {}},
};

const kind &kind_of(const dnn_descriptor *d) {
  for (const kind &k : kinds)
    if (k.type == d->type) return k;
  refuse(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN,
         "the fake has no operation of type " + std::to_string(d->type));
}

void add_tensor(dnn_operation *o, const dnn_descriptor *d, int attribute,
                bool required) {
  const dnn_descriptor *t = dnn_child(d, attribute);
  if (t)
    o->tensors[attribute] = dnn_read_tensor(t);
  else if (required)
    refuse(CUDNN_STATUS_BAD_PARAM,
           "an operation without tensor " + std::to_string(attribute));
}

/* --- convolutions -----------------------------------------------------------
 */

bool is_convolution(const dnn_operation &o) {
  return o.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR ||
         o.type ==
             CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ||
         o.type ==
             CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR;
}

void read_convolution(dnn_operation *o, const dnn_descriptor *d,
                      const dnn_descriptor *c) {
  o->pre = dnn_ints(c, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
  o->post = dnn_ints(c, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS);
  o->stride = dnn_ints(c, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
  o->dilation = dnn_ints(c, CUDNN_ATTR_CONVOLUTION_DILATIONS);
  o->mode = dnn_value<int>(c, CUDNN_ATTR_CONVOLUTION_CONV_MODE, -1);
  if (dnn_value<int>(c, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, -1) !=
      CUDNN_DATA_FLOAT)
    refuse(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "sums are f32 here");
  if (o->mode != CUDNN_CROSS_CORRELATION)
    refuse(CUDNN_STATUS_BAD_PARAM, "the convolution's mode");
  if (o->pre.size() != 2 || o->post.size() != 2 || o->stride.size() != 2 ||
      o->dilation.size() != 2)
    refuse(CUDNN_STATUS_BAD_PARAM, "two spatial dimensions are wanted");
  const int base =
      o->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR
          ? CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA
      : o->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR
          ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA
          : CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA;
  for (int i = 0; i < 2; i++) {
    auto a = d->attributes.find(base + i);
    if (a == d->attributes.end()) continue;
    const double v = a->second.type == CUDNN_TYPE_DOUBLE
                         ? dnn_value<double>(d, base + i, 0)
                         : (double)dnn_value<float>(d, base + i, 0);
    (i == 0 ? o->alpha : o->beta) = v;
  }
}

/* x (N, C, H, W), w (K, C / groups, R, S), y (N, K, P, Q). */
void check_convolution(const dnn_operation &o, const dnn_tensor &x,
                       const dnn_tensor &w, const dnn_tensor &y) {
  const std::string all =
      "x " + shape(x) + ", w " + shape(w) + ", y " + shape(y);
  if (x.size.size() != 4 || w.size.size() != 4 || y.size.size() != 4)
    refuse(CUDNN_STATUS_BAD_PARAM, "four dimensions are wanted: " + all);
  bool good = x.size[0] == y.size[0] && w.size[0] == y.size[1] &&
              x.size[1] % w.size[1] == 0 &&
              w.size[0] % (x.size[1] / w.size[1]) == 0;
  for (size_t i = 0; i < 2; i++) {
    const int64_t window = o.dilation[i] * (w.size[i + 2] - 1) + 1;
    const int64_t room = x.size[i + 2] + o.pre[i] + o.post[i] - window;
    good = good && room >= 0 && y.size[i + 2] == 1 + room / o.stride[i];
  }
  if (!good) refuse(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, all);
  /* The matrix of cuda.md 2.2: one type for all three that are stored. */
  const dnn_tensor *t[3] = {&x, &w, &y};
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < i; k++)
      if (!t[i]->is_virtual && !t[k]->is_virtual && t[i]->dtype != t[k]->dtype)
        refuse(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE,
               "x, w and y are of different types");
}

/* --- the rest ---------------------------------------------------------------
 */

void read_pointwise(dnn_operation *o, const dnn_descriptor *p) {
  o->mode = dnn_value<int>(p, CUDNN_ATTR_POINTWISE_MODE, -1);
  o->lower = dnn_value<double>(p, CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP, 0);
  o->upper = dnn_value<double>(p, CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, 1e300);
  o->slope =
      dnn_value<double>(p, CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE, 0);
  o->swish = dnn_value<double>(p, CUDNN_ATTR_POINTWISE_SWISH_BETA, 1);
  const bool out = o->tensors.count(CUDNN_ATTR_OPERATION_POINTWISE_YDESC) ||
                   o->tensors.count(CUDNN_ATTR_OPERATION_POINTWISE_DXDESC);
  if (!out) refuse(CUDNN_STATUS_BAD_PARAM, "a pointwise without a result");
}

void check_matmul(const dnn_operation &o) {
  const dnn_tensor &a = o.tensors.at(CUDNN_ATTR_OPERATION_MATMUL_ADESC);
  const dnn_tensor &b = o.tensors.at(CUDNN_ATTR_OPERATION_MATMUL_BDESC);
  const dnn_tensor &c = o.tensors.at(CUDNN_ATTR_OPERATION_MATMUL_CDESC);
  const size_t r = a.size.size();
  if (r < 3 || b.size.size() != r || c.size.size() != r ||
      a.size[r - 1] != b.size[r - 2] || a.size[r - 2] != c.size[r - 2] ||
      b.size[r - 1] != c.size[r - 1])
    refuse(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH,
           shape(a) + " x " + shape(b) + " = " + shape(c));
}

dnn_operation read_operation(const dnn_descriptor *d) {
  const kind &k = kind_of(d);
  dnn_operation o;
  o.type = d->type;
  for (int a : k.required)
    add_tensor(&o, d, a, true);
  for (int a : k.optional)
    add_tensor(&o, d, a, false);
  const dnn_descriptor *settings =
      k.description ? dnn_child(d, k.description) : nullptr;
  if (k.description && !settings)
    refuse(CUDNN_STATUS_BAD_PARAM, "an operation without its settings");
  if (is_convolution(o)) {
    read_convolution(&o, d, settings);
    check_convolution(o, o.tensors.at(k.required[0]),
                      o.tensors.at(k.required[1]), o.tensors.at(k.required[2]));
  }
  if (o.type == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
    read_pointwise(&o, settings);
  if (o.type == CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR)
    o.mode = dnn_value<int>(settings, CUDNN_ATTR_REDUCTION_OPERATOR, -1);
  if (o.type == CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR) check_matmul(o);
  return o;
}

void add_by_uid(dnn_program *p, const dnn_tensor &t) {
  auto i = p->tensors.find(t.uid);
  if (i != p->tensors.end() &&
      (i->second.size != t.size || i->second.stride != t.stride ||
       i->second.dtype != t.dtype))
    refuse(CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES,
           "two tensors have the unique id " + std::to_string(t.uid));
  p->tensors[t.uid] = t;
}

} // namespace

size_t dnn_size(cudnnDataType_t t) {
  switch ((int)t) {
  case CUDNN_DATA_FLOAT:
  case CUDNN_DATA_INT32:
    return 4;
  case CUDNN_DATA_BFLOAT16:
    return 2;
  case CUDNN_DATA_INT8:
  case CUDNN_DATA_UINT8:
  case CUDNN_DATA_BOOLEAN:
    return 1;
  case CUDNN_DATA_INT64:
    return 8;
  default:
    refuse(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE,
           "the fake has no data type " + std::to_string(t));
  }
}

int64_t dnn_tensor::count() const {
  int64_t n = 1;
  for (int64_t s : size)
    n *= s;
  return n;
}

int64_t dnn_tensor::extent() const {
  int64_t last = 0;
  for (size_t i = 0; i < size.size(); i++)
    last += (size[i] - 1) * stride[i];
  return last + 1;
}

std::vector<int64_t> dnn_ints(const dnn_descriptor *d, int attribute) {
  auto i = d->attributes.find(attribute);
  std::vector<int64_t> v;
  if (i == d->attributes.end() || i->second.type != CUDNN_TYPE_INT64) return v;
  v.resize((size_t)i->second.n);
  memcpy(v.data(), i->second.bytes.data(), i->second.bytes.size());
  return v;
}

const dnn_descriptor *dnn_child(const dnn_descriptor *d, int attribute) {
  return dnn_value<const dnn_descriptor *>(d, attribute, nullptr);
}

dnn_tensor dnn_read_tensor(const dnn_descriptor *d) {
  dnn_tensor t;
  t.uid = dnn_value<int64_t>(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, 0);
  t.alignment = dnn_value<int64_t>(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 0);
  t.dtype = (cudnnDataType_t)dnn_value<int>(d, CUDNN_ATTR_TENSOR_DATA_TYPE, -1);
  t.size = dnn_ints(d, CUDNN_ATTR_TENSOR_DIMENSIONS);
  t.stride = dnn_ints(d, CUDNN_ATTR_TENSOR_STRIDES);
  t.is_virtual = dnn_value<bool>(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, false);
  t.by_value = dnn_value<bool>(d, CUDNN_ATTR_TENSOR_IS_BY_VALUE, false);
  if (!d->attributes.count(CUDNN_ATTR_TENSOR_UNIQUE_ID) || t.alignment < 1 ||
      (int)t.dtype < 0 || t.size.empty() || t.size.size() != t.stride.size())
    refuse(CUDNN_STATUS_BAD_PARAM,
           "a tensor needs a type, dimensions, strides, an id, an alignment");
  for (size_t i = 0; i < t.size.size(); i++)
    if (t.size[i] < 1 || t.stride[i] < 1)
      refuse(CUDNN_STATUS_BAD_PARAM, "a size or stride below 1");
  dnn_size(t.dtype);
  return t;
}

std::shared_ptr<const dnn_program>
dnn_compile(const std::vector<const dnn_descriptor *> &operations) {
  auto p = std::make_shared<dnn_program>();
  for (const dnn_descriptor *d : operations) {
    p->operations.push_back(read_operation(d));
    for (auto &t : p->operations.back().tensors)
      add_by_uid(p.get(), t.second);
  }
  /* Different for different graphs, so that sizes must be asked for. */
  p->workspace = 512 * (int64_t)p->tensors.size() + 64;
  return p;
}

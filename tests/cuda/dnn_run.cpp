/* dnn_run.cpp -- runs a graph with plain loops: every tensor is read into dense
 * floats, sums are double, results are rounded as they are stored. */
#include <cuda_bf16.h>
#include <math.h>
#include <string.h>

#include "dnn_program.h"
#include "emu_internal.h"

namespace {

typedef std::vector<float> dense;

float load(cudnnDataType_t t, const void *p, int64_t i) {
  switch ((int)t) {
  case CUDNN_DATA_FLOAT:
    return ((const float *)p)[i];
  case CUDNN_DATA_BFLOAT16:
    return __bfloat162float(((const __nv_bfloat16 *)p)[i]);
  case CUDNN_DATA_INT32:
    return (float)((const int32_t *)p)[i];
  case CUDNN_DATA_INT64:
    return (float)((const int64_t *)p)[i];
  case CUDNN_DATA_INT8:
    return ((const int8_t *)p)[i];
  default:
    return ((const uint8_t *)p)[i];
  }
}

void store(cudnnDataType_t t, void *p, int64_t i, float v) {
  switch ((int)t) {
  case CUDNN_DATA_FLOAT:
    ((float *)p)[i] = v;
    break;
  case CUDNN_DATA_BFLOAT16:
    ((__nv_bfloat16 *)p)[i] = __float2bfloat16_rn(v);
    break;
  case CUDNN_DATA_INT8:
    ((int8_t *)p)[i] = (int8_t)v;
    break;
  default:
    ((uint8_t *)p)[i] = (uint8_t)v;
    break;
  }
}

/* Where element i, counted in the order of the dimensions, lies in memory. */
int64_t place(const dnn_tensor &t, int64_t i) {
  int64_t at = 0;
  for (size_t d = t.size.size(); d-- > 0; i /= t.size[d])
    at += i % t.size[d] * t.stride[d];
  return at;
}

/* The tensors of one run: virtual ones live here. */
class memory {
public:
  explicit memory(const dnn_pointers &at) : at_(at) {}

  dense read(const dnn_tensor &t) const {
    if (t.is_virtual) return made_.at(t.uid);
    dense v((size_t)t.count());
    const void *p = at_.at(t.uid);
    for (size_t i = 0; i < v.size(); i++)
      v[i] = load(t.dtype, p, t.by_value ? 0 : place(t, (int64_t)i));
    return v;
  }

  void write(const dnn_tensor &t, const dense &v) {
    if (t.is_virtual) {
      dense rounded = v;
      if (t.dtype == CUDNN_DATA_BFLOAT16)
        for (float &x : rounded)
          x = __bfloat162float(__float2bfloat16_rn(x));
      made_[t.uid] = rounded;
      return;
    }
    void *p = at_.at(t.uid);
    for (size_t i = 0; i < v.size(); i++)
      store(t.dtype, p, place(t, (int64_t)i), v[i]);
  }

private:
  const dnn_pointers &at_;
  std::map<int64_t, dense> made_;
};

/* --- convolutions -----------------------------------------------------------
 */

struct geometry {
  int64_t N, C, H, W, K, R, S, P, Q, groups;
};

geometry geometry_of(const dnn_tensor &x, const dnn_tensor &w,
                     const dnn_tensor &y) {
  return {x.size[0], x.size[1], x.size[2], x.size[3], w.size[0],
          w.size[2], w.size[3], y.size[2], y.size[3], x.size[1] / w.size[1]};
}

/* Calls f(row of x, row of w, row of y, first q, last q + 1, s) for each row of
 * products: y[q] meets x[q * stride + offset] through w[s]. */
template <class F>
void each_row(const dnn_operation &o, const geometry &g, F f) {
  const int64_t cg = g.C / g.groups, kg = g.K / g.groups;
  for (int64_t n = 0; n < g.N; n++)
    for (int64_t k = 0; k < g.K; k++)
      for (int64_t p = 0; p < g.P; p++)
        for (int64_t c = 0; c < cg; c++)
          for (int64_t r = 0; r < g.R; r++) {
            const int64_t h = p * o.stride[0] - o.pre[0] + r * o.dilation[0];
            if (h < 0 || h >= g.H) continue;
            const int64_t channel = k / kg * cg + c;
            f(((n * g.C + channel) * g.H + h) * g.W,
              ((k * cg + c) * g.R + r) * g.S, ((n * g.K + k) * g.P + p) * g.Q);
          }
}

template <class F>
void each_product(const dnn_operation &o, const geometry &g, F f) {
  each_row(o, g, [&](int64_t x, int64_t w, int64_t y) {
    for (int64_t s = 0; s < g.S; s++)
      for (int64_t q = 0; q < g.Q; q++) {
        const int64_t at = q * o.stride[1] - o.pre[1] + s * o.dilation[1];
        if (at >= 0 && at < g.W) f(x + at, w + s, y + q);
      }
  });
}

void convolution(memory *m, const dnn_operation &o, int ax, int aw, int ay,
                 int result) {
  const dnn_tensor &x = o.tensors.at(ax), &w = o.tensors.at(aw),
                   &y = o.tensors.at(ay), &out = o.tensors.at(result);
  const geometry g = geometry_of(x, w, y);
  std::vector<double> sum((size_t)out.count());
  double *to = sum.data();
  const dense vx = result == ax ? dense() : m->read(x);
  const dense vw = result == aw ? dense() : m->read(w);
  const dense vy = result == ay ? dense() : m->read(y);
  const float *px = vx.data(), *pw = vw.data(), *py = vy.data();
  if (result == ay)
    each_product(o, g, [=](int64_t i, int64_t k, int64_t j) {
      to[j] += (double)px[i] * (double)pw[k];
    });
  else if (result == ax)
    each_product(o, g, [=](int64_t i, int64_t k, int64_t j) {
      to[i] += (double)py[j] * (double)pw[k];
    });
  else
    each_product(o, g, [=](int64_t i, int64_t k, int64_t j) {
      to[k] += (double)px[i] * (double)py[j];
    });
  dense v(sum.size());
  const dense before = o.beta != 0 ? m->read(out) : dense();
  for (size_t i = 0; i < v.size(); i++)
    v[i] = (float)(o.alpha * sum[i] +
                   (o.beta != 0 ? o.beta * (double)before[i] : 0));
  m->write(out, v);
}

/* --- pointwise --------------------------------------------------------------
 */

double normal_cdf(double x) {
  return 0.5 * erfc(-x * M_SQRT1_2);
}

double logistic(double x) {
  return 1 / (1 + exp(-x));
}

/* x: the first input; b: the second, or dy. */
double pointwise_value(const dnn_operation &o, double x, double b, double t) {
  const double s = logistic(o.swish * x);
  switch (o.mode) {
  case CUDNN_POINTWISE_ADD:
    return x + b;
  case CUDNN_POINTWISE_SUB:
    return x - b;
  case CUDNN_POINTWISE_MUL:
    return x * b;
  case CUDNN_POINTWISE_DIV:
    return x / b;
  case CUDNN_POINTWISE_MAX:
    return x > b ? x : b;
  case CUDNN_POINTWISE_MIN:
    return x < b ? x : b;
  case CUDNN_POINTWISE_IDENTITY:
    return x;
  case CUDNN_POINTWISE_NEG:
    return -x;
  case CUDNN_POINTWISE_ABS:
    return fabs(x);
  case CUDNN_POINTWISE_EXP:
    return exp(x);
  case CUDNN_POINTWISE_LOG:
    return log(x);
  case CUDNN_POINTWISE_SQRT:
    return sqrt(x);
  case CUDNN_POINTWISE_RSQRT:
    return 1 / sqrt(x);
  case CUDNN_POINTWISE_RELU_FWD:
    return x > o.upper   ? o.upper
           : x > o.lower ? x
                         : o.lower + o.slope * (x - o.lower);
  case CUDNN_POINTWISE_RELU_BWD:
    return x > o.upper ? 0 : x > o.lower ? b : o.slope * b;
  case CUDNN_POINTWISE_SIGMOID_FWD:
    return logistic(x);
  case CUDNN_POINTWISE_SIGMOID_BWD:
    return b * logistic(x) * (1 - logistic(x));
  case CUDNN_POINTWISE_TANH_FWD:
    return tanh(x);
  case CUDNN_POINTWISE_GELU_FWD:
    return x * normal_cdf(x);
  case CUDNN_POINTWISE_GELU_BWD:
    return b * (normal_cdf(x) + x * exp(-0.5 * x * x) / sqrt(2 * M_PI));
  case CUDNN_POINTWISE_SWISH_FWD:
    return x * s;
  case CUDNN_POINTWISE_SWISH_BWD:
    return b * (s + o.swish * x * s * (1 - s));
  case CUDNN_POINTWISE_CMP_GT:
    return x > b;
  case CUDNN_POINTWISE_CMP_GE:
    return x >= b;
  case CUDNN_POINTWISE_CMP_LT:
    return x < b;
  case CUDNN_POINTWISE_CMP_LE:
    return x <= b;
  case CUDNN_POINTWISE_CMP_EQ:
    return x == b;
  case CUDNN_POINTWISE_BINARY_SELECT:
    return t != 0 ? x : b;
  default:
    emu_die("the fake cuDNN has no pointwise mode %d", o.mode);
  }
}

/* The element of a tensor, whose sizes may be 1, for element i of out. */
float broadcast(const dnn_tensor &t, const dense &v, const dnn_tensor &out,
                int64_t i) {
  int64_t at = 0, step = 1;
  for (size_t d = out.size.size(); d-- > 0; i /= out.size[d]) {
    if (t.size[d] != 1) at += i % out.size[d] * step;
    step *= t.size[d];
  }
  return v[(size_t)at];
}

const dnn_tensor *find(const dnn_operation &o, int attribute) {
  auto i = o.tensors.find(attribute);
  return i == o.tensors.end() ? nullptr : &i->second;
}

void pointwise(memory *m, const dnn_operation &o) {
  const dnn_tensor *dy = find(o, CUDNN_ATTR_OPERATION_POINTWISE_DYDESC);
  const dnn_tensor *b = dy ? dy : find(o, CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
  const dnn_tensor *t = find(o, CUDNN_ATTR_OPERATION_POINTWISE_TDESC);
  const dnn_tensor &x = o.tensors.at(CUDNN_ATTR_OPERATION_POINTWISE_XDESC);
  const dnn_tensor &out =
      o.tensors.at(dy ? CUDNN_ATTR_OPERATION_POINTWISE_DXDESC
                      : CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
  const dense vx = m->read(x), vb = b ? m->read(*b) : dense(),
              vt = t ? m->read(*t) : dense();
  dense v((size_t)out.count());
  for (int64_t i = 0; i < out.count(); i++)
    v[(size_t)i] =
        (float)pointwise_value(o, (double)broadcast(x, vx, out, i),
                               b ? (double)broadcast(*b, vb, out, i) : 0,
                               t ? (double)broadcast(*t, vt, out, i) : 0);
  m->write(out, v);
}

/* --- sums and products ------------------------------------------------------
 */

/* The element of out that element i of x is counted in. */
int64_t reduced(const dnn_tensor &x, const dnn_tensor &out, int64_t i) {
  int64_t at = 0, step = 1;
  for (size_t d = x.size.size(); d-- > 0; i /= x.size[d]) {
    if (out.size[d] != 1) at += i % x.size[d] * step;
    step *= out.size[d];
  }
  return at;
}

void statistics(memory *m, const dnn_operation &o) {
  const dnn_tensor &x = o.tensors.at(CUDNN_ATTR_OPERATION_GENSTATS_XDESC);
  const dnn_tensor &s = o.tensors.at(CUDNN_ATTR_OPERATION_GENSTATS_SUMDESC);
  const dense v = m->read(x);
  std::vector<double> sum((size_t)s.count()), squares(sum.size());
  for (int64_t i = 0; i < x.count(); i++) {
    const double u = (double)v[(size_t)i];
    sum[(size_t)reduced(x, s, i)] += u;
    squares[(size_t)reduced(x, s, i)] += u * u;
  }
  m->write(s, dense(sum.begin(), sum.end()));
  m->write(o.tensors.at(CUDNN_ATTR_OPERATION_GENSTATS_SQSUMDESC),
           dense(squares.begin(), squares.end()));
}

void reduction(memory *m, const dnn_operation &o) {
  const dnn_tensor &x = o.tensors.at(CUDNN_ATTR_OPERATION_REDUCTION_XDESC);
  const dnn_tensor &y = o.tensors.at(CUDNN_ATTR_OPERATION_REDUCTION_YDESC);
  const dense v = m->read(x);
  std::vector<double> r((size_t)y.count(),
                        o.mode == CUDNN_REDUCE_TENSOR_MAX ? -INFINITY : 0);
  for (int64_t i = 0; i < x.count(); i++) {
    double *to = &r[(size_t)reduced(x, y, i)];
    const double u = (double)v[(size_t)i];
    if (o.mode == CUDNN_REDUCE_TENSOR_MAX)
      *to = *to > u ? *to : u;
    else if (o.mode == CUDNN_REDUCE_TENSOR_ADD ||
             o.mode == CUDNN_REDUCE_TENSOR_AVG)
      *to += u;
    else
      emu_die("the fake cuDNN has no reduction %d", o.mode);
  }
  if (o.mode == CUDNN_REDUCE_TENSOR_AVG)
    for (double &u : r)
      u *= (double)y.count() / (double)x.count();
  m->write(y, dense(r.begin(), r.end()));
}

void matmul(memory *m, const dnn_operation &o) {
  const dnn_tensor &a = o.tensors.at(CUDNN_ATTR_OPERATION_MATMUL_ADESC);
  const dnn_tensor &b = o.tensors.at(CUDNN_ATTR_OPERATION_MATMUL_BDESC);
  const dnn_tensor &c = o.tensors.at(CUDNN_ATTR_OPERATION_MATMUL_CDESC);
  const size_t r = a.size.size();
  const int64_t M = a.size[r - 2], K = a.size[r - 1], N = b.size[r - 1];
  const int64_t batches = c.count() / (M * N);
  const dense va = m->read(a), vb = m->read(b);
  const int64_t na = a.count() / (M * K), nb = b.count() / (K * N);
  dense v((size_t)c.count());
  for (int64_t n = 0; n < batches; n++)
    for (int64_t i = 0; i < M; i++)
      for (int64_t j = 0; j < N; j++) {
        double sum = 0;
        for (int64_t k = 0; k < K; k++)
          sum += (double)va[(size_t)((n % na * M + i) * K + k)] *
                 (double)vb[(size_t)((n % nb * K + k) * N + j)];
        v[(size_t)((n * M + i) * N + j)] = (float)sum;
      }
  m->write(c, v);
}

void run(memory *m, const dnn_operation &o) {
  switch ((int)o.type) {
  case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
    return convolution(m, o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y);
  case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
    return convolution(m, o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX);
  case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
    return convolution(m, o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW);
  case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
    return pointwise(m, o);
  case CUDNN_BACKEND_OPERATION_GEN_STATS_DESCRIPTOR:
    return statistics(m, o);
  case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR:
    return reduction(m, o);
  default:
    return matmul(m, o);
  }
}

} // namespace

void dnn_run(const dnn_program &p, const dnn_pointers &at) {
  memory m(at);
  for (const dnn_operation &o : p.operations)
    run(&m, o);
}

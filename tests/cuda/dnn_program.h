/* dnn_program.h -- what the fake cuDNN makes of an operation graph. */
#ifndef CUDA_EMU_DNN_PROGRAM_H
#define CUDA_EMU_DNN_PROGRAM_H

#include <cudnn_graph.h>
#include <stdint.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

/* A descriptor keeps its attributes as they were set. */
struct dnn_attribute {
  cudnnBackendAttributeType_t type;
  int64_t n;
  std::vector<unsigned char> bytes;
};

struct dnn_program;

struct dnn_descriptor {
  cudnnBackendDescriptorType_t type;
  bool finalized = false;
  std::map<int, dnn_attribute> attributes;
  std::shared_ptr<const dnn_program> program; /* graph, config, plan */
  int engine = 0;
};

struct dnn_tensor {
  int64_t uid = 0, alignment = 0;
  cudnnDataType_t dtype = CUDNN_DATA_FLOAT;
  std::vector<int64_t> size, stride;
  bool is_virtual = false, by_value = false;

  int64_t count() const;  /* elements */
  int64_t extent() const; /* from the first to one past the last in memory */
};

/* One node, with all that its descriptors said. */
struct dnn_operation {
  cudnnBackendDescriptorType_t type;
  std::map<int, dnn_tensor> tensors; /* by attribute */
  std::vector<int64_t> pre, post, stride, dilation;
  int mode = 0;
  double alpha = 1, beta = 0;
  double lower = 0, upper = 1e300, slope = 0, swish = 1; /* activations */
};

struct dnn_program {
  std::vector<dnn_operation> operations;
  std::map<int64_t, dnn_tensor> tensors; /* by uid */
  int64_t workspace = 0;
};

typedef std::map<int64_t, void *> dnn_pointers; /* by uid */

/* An error, and why. */
struct dnn_error {
  cudnnStatus_t status;
  std::string text;
};

size_t dnn_size(cudnnDataType_t t);
dnn_tensor dnn_read_tensor(const dnn_descriptor *d);

/* From a graph's descriptors; throws dnn_error for what cuDNN would refuse. */
std::shared_ptr<const dnn_program>
dnn_compile(const std::vector<const dnn_descriptor *> &operations);

void dnn_run(const dnn_program &p, const dnn_pointers &at);

/* As text, for plans that are kept; reading throws dnn_error. */
std::string dnn_write(const dnn_program &p);
std::shared_ptr<const dnn_program> dnn_read(const std::string &text);

/* Attributes, read back. */
std::vector<int64_t> dnn_ints(const dnn_descriptor *d, int attribute);
const dnn_descriptor *dnn_child(const dnn_descriptor *d, int attribute);
template <class T>
T dnn_value(const dnn_descriptor *d, int attribute, T otherwise) {
  auto i = d->attributes.find(attribute);
  if (i == d->attributes.end() || i->second.bytes.size() < sizeof(T))
    return otherwise;
  T v;
  __builtin_memcpy(&v, i->second.bytes.data(), sizeof v);
  return v;
}

#endif

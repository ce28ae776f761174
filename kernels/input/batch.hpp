// Samples x features of any numeric type become neurons x batch of the network's type, scaled.
#pragma once

#include <cstdint>

namespace ts {

// out[f * stride + b] = (X[rows[b], f] - offset[f]) * factor[f], zeros in the padding. Strides of X are in
// elements. offset and factor may be null. Returns b * features + f of the first result that is not finite
// (in the order of samples), or -1.
template <class S, class T>
int64_t load_dense(const S* x, int64_t row_stride, int64_t column_stride, const int64_t* rows, int64_t batch,
                   int64_t features, const double* offset, const double* factor, T* out, int64_t stride, int threads);

// The same from CSR rows (already selected, repeated entries summed).
template <class T>
int64_t load_sparse(const int64_t* ptr, const int32_t* index, const T* value, int64_t batch, int64_t features,
                    const double* offset, const double* factor, T* out, int64_t stride, int threads);

// The way back: out[b * out_stride + f] = from[f * stride + b] * factor[f] for b below `batch`. factor may be null.
template <class T>
void store_dense(const T* from, int64_t stride, int64_t batch, int64_t features, const double* factor, T* out,
                 int64_t out_stride, int threads);

}  // namespace ts

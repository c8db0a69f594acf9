/* unrolled.h - loops that are written out, and functions whose arguments become constants. */
#ifndef TRINE_KERNELS_UNROLLED_H
#define TRINE_KERNELS_UNROLLED_H

#define TRINE_UNROLL _Pragma("GCC unroll 16")
#define TRINE_INLINE static inline __attribute__((always_inline))

#endif

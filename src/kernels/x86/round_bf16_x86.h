/* round_bf16_x86.h - template: a vector of floats rounded to bf16, to nearest even. Include it after a vector_*.h. */
#ifndef TRINE_KERNELS_ROUND_BF16_X86_H
#define TRINE_KERNELS_ROUND_BF16_X86_H

static inline void vf_store_bf16(void *out, vf v)
{
    const vi bits = vi_bits(v), odd = vi_and(vi_shift_right(bits, 16), vi_set(1));
    const vi rounded = vi_shift_right(vi_add(bits, vi_add(odd, vi_set(0x7FFF))), 16);
    const vi quiet = vi_or(vi_shift_right(bits, 16), vi_set(0x40)); /* a NaN must not round to infinity */
    vi_store_u16(out, vi_choose_number(v, rounded, quiet));
}

#endif

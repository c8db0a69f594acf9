/* vector_avx512.h - the operations of vector_avx2.h, 16 floats wide. */
#ifndef TRINE_KERNELS_VECTOR_AVX512_H
#define TRINE_KERNELS_VECTOR_AVX512_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define TRINE_NAME(name) trine_##name##_avx512
enum { LANES = 16, HALF_LANES = 8 };
enum {
    TILE_ROWS = 12,
    DOT_X = 4,
    DOT_W = 2,
    DOT_W_ONE = 1,
    DOT_SUMS = 2,
    DOT_AHEAD = 4096
}; /* of the products: 32 registers hold 24 sums and what they are made from */
#define TRINE_DOT_X_4
#define TRINE_ROWS_WIDE TRINE_ROWS_12
#define TRINE_ROWS_NARROW TRINE_ROWS_6

typedef __m512 vf;
typedef __m512i vi;
typedef __m512d vd;
typedef __mmask16 vm;

static inline __mmask16 first_lanes(size_t n) { return (__mmask16)((1u << n) - 1); }

static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline vf vf_load_n(const float *p, size_t n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
static inline void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
static inline void vf_store_n(float *p, vf v, size_t n) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
static inline vf vf_set(float x) { return _mm512_set1_ps(x); }
static inline vf vf_zero(void) { return _mm512_setzero_ps(); }
static inline vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
static inline vf vf_sqrt(vf a) { return _mm512_sqrt_ps(a); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
static inline vf vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf vf_round(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline vf vf_abs(vf a) { return _mm512_abs_ps(a); }
static inline vf vf_with_sign(vf a, vf sign) { return _mm512_or_ps(a, _mm512_and_ps(_mm512_set1_ps(-0.0f), sign)); }
static inline vm vf_less(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline vf vf_choose(vm m, vf yes, vf no) { return _mm512_mask_blend_ps(m, no, yes); }
static inline vf vf_exp2_whole(vf n)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
}
static inline float vf_sum(vf v) { return _mm512_reduce_add_ps(v); }
static inline float vf_most(vf v) { return _mm512_reduce_max_ps(v); }

static inline vd vd_set(double x) { return _mm512_set1_pd(x); }
static inline vd vd_add(vd a, vd b) { return _mm512_add_pd(a, b); }
static inline vd vd_sub(vd a, vd b) { return _mm512_sub_pd(a, b); }
static inline vd vd_mul(vd a, vd b) { return _mm512_mul_pd(a, b); }
static inline vd vd_fma(vd a, vd b, vd c) { return _mm512_fmadd_pd(a, b, c); }
static inline vd vd_round(vd a) { return _mm512_roundscale_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline vd vd_floor(vd a) { return _mm512_roundscale_pd(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
static inline vd vd_choose_equal(vd a, vd b, vd yes, vd no)
{
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ), no, yes);
}
static inline vd vd_load_f32(const float *p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
static inline void vd_store_f32(float *p, vd v) { _mm256_storeu_ps(p, _mm512_cvtpd_ps(v)); }
static inline vd vd_low(vf v) { return _mm512_cvtps_pd(_mm512_castps512_ps256(v)); }
static inline vd vd_high(vf v) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)); }
static inline vf vf_from_vd(vd low, vd high)
{
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1);
}
static inline double vd_sum(vd v) { return _mm512_reduce_add_pd(v); }

static inline vi vi_load_u8(const unsigned char *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}
static inline vi vi_load_i8(const unsigned char *p)
{
    return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}
static inline vi vi_load_u16(const unsigned char *p)
{
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
static inline vf vf_load_f16(const unsigned char *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
static inline void vf_store_f16(unsigned char *p, vf v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline void vi_store_u16(unsigned char *p, vi v) { _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtepi32_epi16(v)); }
static inline vi vi_set(int x) { return _mm512_set1_epi32(x); }
static inline vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
static inline vi vi_or(vi a, vi b) { return _mm512_or_si512(a, b); }
static inline vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
static inline vi vi_mul(vi a, vi b) { return _mm512_mullo_epi32(a, b); }
static inline vi vi_count(void) { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
static inline vi vi_shift_left(vi a, int n) { return _mm512_sll_epi32(a, _mm_cvtsi32_si128(n)); }
static inline vi vi_shift_right(vi a, int n) { return _mm512_srl_epi32(a, _mm_cvtsi32_si128(n)); }
static inline vi vi_spread_bits(uint32_t bits) { return _mm512_maskz_set1_epi32((__mmask16)bits, 1); }
static inline vf vf_from_vi(vi a) { return _mm512_cvtepi32_ps(a); }
static inline vi vi_bits(vf a) { return _mm512_castps_si512(a); }
static inline vf vf_bits(vi a) { return _mm512_castsi512_ps(a); }
static inline vi vi_choose_number(vf v, vi a, vi b) { return _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), b, a); }

static inline vi vi_flip(vi a, vi b) { return _mm512_xor_si512(a, b); }
static inline vi vi_shift_right_signed(vi a, int n) { return _mm512_sra_epi32(a, _mm_cvtsi32_si128(n)); }
static inline vi vi_most(vi a, vi b) { return _mm512_max_epi32(a, b); }
static inline int vi_total(vi a) { return _mm512_reduce_add_epi32(a); }
/* The float of the largest bits, none of them a negative number. */
static inline float vf_most_of_bits(vi a)
{
    const int most = _mm512_reduce_max_epi32(a);
    float f;
    memcpy(&f, &most, sizeof f);
    return f;
}
static inline void vi_store_i8(void *p, vi v) { _mm_storeu_si128(p, _mm512_cvtsepi32_epi8(v)); } /* as near as 8 bits come */

/* ---- bytes and 16-bit numbers ---- */

static inline __m128i vi_part(const unsigned char *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
/* 16 bytes of every fourth row, one row in each 128 bits. */
static inline vi vi_load_rows(const unsigned char *const *rows, size_t at)
{
    vi v = _mm512_castsi128_si512(vi_part(rows[0] + at));
    v = _mm512_mask_broadcast_i32x4(v, 0x00F0, vi_part(rows[4] + at));
    v = _mm512_mask_broadcast_i32x4(v, 0x0F00, vi_part(rows[8] + at));
    return _mm512_mask_broadcast_i32x4(v, 0xF000, vi_part(rows[12] + at));
}
static inline vi vi_load_bytes(const void *p) { return _mm512_loadu_si512(p); }
static inline void vi_store_bytes(void *p, vi v) { _mm512_storeu_si512(p, v); }
static inline vi vi_load_parts(const void *p)
{
    return _mm512_broadcast_i32x4(vi_part(p));
} /* the same 16 bytes in each 128 bits */
static inline vi vi_set8(int x) { return _mm512_set1_epi8((char)x); }
static inline vi vi_set16(int x) { return _mm512_set1_epi16((short)x); }
static inline vi vi_look_up8(vi table, vi index) { return _mm512_shuffle_epi8(table, index); } /* within 128 bits */
static inline vi vi_add16(vi a, vi b) { return _mm512_add_epi16(a, b); }
static inline vi vi_mul16(vi a, vi b) { return _mm512_mulhrs_epi16(a, b); } /* a b / 2^15, rounded */
static inline vi vi_left16(vi a, int n) { return _mm512_slli_epi16(a, (unsigned)n); }
static inline vi vi_right16(vi a, int n) { return _mm512_srli_epi16(a, (unsigned)n); }
static inline vi vi_right16_signed(vi a, int n) { return _mm512_srai_epi16(a, (unsigned)n); }
static inline vi vi_narrow16(vi a, vi b) { return _mm512_packs_epi16(a, b); } /* to 8 bits; both within 128 bits */
static inline vi vi_narrow32(vi a, vi b) { return _mm512_packs_epi32(a, b); } /* to 16 */
static inline vi vi_high_bytes(vi even, vi odd) /* of 16-bit numbers: those of `even` below those of `odd` */
{
    return _mm512_ternarylogic_epi32(_mm512_set1_epi16((short)0xFF00), odd, _mm512_srli_epi16(even, 8), 0xCA);
}
/* a, and bit 7 in the bytes where b has none of the bits of `bits`. */
static inline vi vi_sign_where_none(vi a, vi b, vi bits)
{
    return _mm512_or_si512(a, _mm512_maskz_set1_epi8(_mm512_testn_epi8_mask(b, bits), (char)0x80));
}
static inline vi vi_low32(vi a, vi b) { return _mm512_unpacklo_epi32(a, b); }
static inline vi vi_high32(vi a, vi b) { return _mm512_unpackhi_epi32(a, b); }
static inline vi vi_low64(vi a, vi b) { return _mm512_unpacklo_epi64(a, b); }
static inline vi vi_high64(vi a, vi b) { return _mm512_unpackhi_epi64(a, b); }
static inline vi vi_from_vf(vf a)
{
    return _mm512_cvtps_epi32(a);
} /* to the nearest even; the least number where it does not fit */
static inline vf vf_from_low_f16(vi a) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(a)); } /* of the low halves */

#endif

/* vector_avx2.h - the few vector operations that the x86 templates are written in, 8 floats wide. vector_avx512.h has the same
 * names 16 wide; a template is included after one of them, so that each loop exists once in the source.
 *
 * vf: floats, vi: 32-bit integers, vd: half as many doubles, vm: a choice for each float. */
#ifndef TRINE_KERNELS_VECTOR_AVX2_H
#define TRINE_KERNELS_VECTOR_AVX2_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define TRINE_NAME(name) trine_##name##_avx2
enum { LANES = 8, HALF_LANES = 4 };
enum {
    TILE_ROWS = 6,
    DOT_X = 2,
    DOT_W = 2,
    DOT_W_ONE = 4,
    DOT_SUMS = 2,
    DOT_AHEAD = 256
}; /* of the products: 16 registers hold 12 sums and what they are made from */
#define TRINE_ROWS_WIDE TRINE_ROWS_6
#define TRINE_ROWS_NARROW TRINE_ROWS_3

typedef __m256 vf;
typedef __m256i vi;
typedef __m256d vd;
typedef __m256 vm;

/* -1 in the first n lanes. */
static inline __m256i first_lanes(size_t n)
{
    static const int32_t edge[16] = { -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0 };
    return _mm256_loadu_si256((const __m256i *)(const void *)(edge + 8 - n));
}

static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline vf vf_load_n(const float *p, size_t n) { return _mm256_maskload_ps(p, first_lanes(n)); } /* the others 0 */
static inline void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
static inline void vf_store_n(float *p, vf v, size_t n) { _mm256_maskstore_ps(p, first_lanes(n), v); }
static inline vf vf_set(float x) { return _mm256_set1_ps(x); }
static inline vf vf_zero(void) { return _mm256_setzero_ps(); }
static inline vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
static inline vf vf_sqrt(vf a) { return _mm256_sqrt_ps(a); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }   /* a b + c */
static inline vf vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); } /* c - a b */
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }              /* b where one is not a number */
static inline vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf vf_round(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline vf vf_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline vf vf_with_sign(vf a, vf sign) /* a is not negative */
{
    return _mm256_or_ps(a, _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}
static inline vm vf_less(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline vf vf_choose(vm m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, m); }
/* 2^n for whole n from -126 to 127. */
static inline vf vf_exp2_whole(vf n)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
static inline float vf_sum(vf v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
static inline float vf_most(vf v)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

static inline vd vd_set(double x) { return _mm256_set1_pd(x); }
static inline vd vd_add(vd a, vd b) { return _mm256_add_pd(a, b); }
static inline vd vd_sub(vd a, vd b) { return _mm256_sub_pd(a, b); }
static inline vd vd_mul(vd a, vd b) { return _mm256_mul_pd(a, b); }
static inline vd vd_fma(vd a, vd b, vd c) { return _mm256_fmadd_pd(a, b, c); }
static inline vd vd_round(vd a) { return _mm256_round_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline vd vd_floor(vd a) { return _mm256_floor_pd(a); }
static inline vd vd_choose_equal(vd a, vd b, vd yes, vd no) { return _mm256_blendv_pd(no, yes, _mm256_cmp_pd(a, b, _CMP_EQ_OQ)); }
static inline vd vd_load_f32(const float *p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
static inline void vd_store_f32(float *p, vd v) { _mm_storeu_ps(p, _mm256_cvtpd_ps(v)); }
static inline vd vd_low(vf v) { return _mm256_cvtps_pd(_mm256_castps256_ps128(v)); }
static inline vd vd_high(vf v) { return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)); }
static inline vf vf_from_vd(vd low, vd high) { return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low)); }
static inline double vd_sum(vd v)
{
    const __m128d s = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}

/* LANES bytes, or 16-bit numbers, at any address. */
static inline vi vi_load_u8(const unsigned char *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
}
static inline vi vi_load_i8(const unsigned char *p)
{
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
}
static inline vi vi_load_u16(const unsigned char *p)
{
    return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}
static inline vf vf_load_f16(const unsigned char *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p)); }
static inline void vf_store_f16(unsigned char *p, vf v)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline void vi_store_u16(unsigned char *p, vi v) /* of numbers below 2^16 */
{
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(v, v), 0xD8);
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_castsi256_si128(packed));
}
static inline vi vi_set(int x) { return _mm256_set1_epi32(x); }
static inline vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
static inline vi vi_or(vi a, vi b) { return _mm256_or_si256(a, b); }
static inline vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
static inline vi vi_mul(vi a, vi b) { return _mm256_mullo_epi32(a, b); } /* the low 32 bits */
static inline vi vi_count(void) { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
static inline vi vi_shift_left(vi a, int n) { return _mm256_sll_epi32(a, _mm_cvtsi32_si128(n)); }
static inline vi vi_shift_right(vi a, int n) { return _mm256_srl_epi32(a, _mm_cvtsi32_si128(n)); }
/* Bit i of `bits` in lane i. */
static inline vi vi_spread_bits(uint32_t bits)
{
    return _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32((int)bits), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)),
                            _mm256_set1_epi32(1));
}
static inline vf vf_from_vi(vi a) { return _mm256_cvtepi32_ps(a); }
static inline vi vi_bits(vf a) { return _mm256_castps_si256(a); }
static inline vf vf_bits(vi a) { return _mm256_castsi256_ps(a); }
/* a where v is a number, else b. */
static inline vi vi_choose_number(vf v, vi a, vi b)
{
    return _mm256_blendv_epi8(b, a, _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_ORD_Q)));
}

static inline vi vi_flip(vi a, vi b) { return _mm256_xor_si256(a, b); }
static inline vi vi_shift_right_signed(vi a, int n) { return _mm256_sra_epi32(a, _mm_cvtsi32_si128(n)); }
static inline vi vi_most(vi a, vi b) { return _mm256_max_epi32(a, b); }
static inline int vi_total(vi a)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1)));
}
/* The float of the largest bits, none of them a negative number. */
static inline float vf_most_of_bits(vi a)
{
    __m128i s = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    s = _mm_max_epi32(s, _mm_shuffle_epi32(s, 0x4E));
    const int most = _mm_cvtsi128_si32(_mm_max_epi32(s, _mm_shuffle_epi32(s, 0xB1)));
    float f;
    memcpy(&f, &most, sizeof f);
    return f;
}
static inline void vi_store_i8(void *p, vi v) /* as near as 8 bits come */
{
    const __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64(p, _mm_packs_epi16(half, half));
}

/* ---- bytes and 16-bit numbers ---- */

static inline __m128i vi_part(const unsigned char *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
/* 16 bytes of every fourth row, one row in each 128 bits. */
static inline vi vi_load_rows(const unsigned char *const *rows, size_t at)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(vi_part(rows[0] + at)), vi_part(rows[4] + at), 1);
}
static inline vi vi_load_bytes(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline void vi_store_bytes(void *p, vi v) { _mm256_storeu_si256((__m256i *)p, v); }
static inline vi vi_load_parts(const void *p)
{
    return _mm256_broadcastsi128_si256(vi_part(p));
} /* the same 16 bytes in each 128 bits */
static inline vi vi_set8(int x) { return _mm256_set1_epi8((char)x); }
static inline vi vi_set16(int x) { return _mm256_set1_epi16((short)x); }
static inline vi vi_look_up8(vi table, vi index) { return _mm256_shuffle_epi8(table, index); } /* within 128 bits */
static inline vi vi_add16(vi a, vi b) { return _mm256_add_epi16(a, b); }
static inline vi vi_mul16(vi a, vi b) { return _mm256_mulhrs_epi16(a, b); } /* a b / 2^15, rounded */
static inline vi vi_left16(vi a, int n) { return _mm256_slli_epi16(a, n); }
static inline vi vi_right16(vi a, int n) { return _mm256_srli_epi16(a, n); }
static inline vi vi_right16_signed(vi a, int n) { return _mm256_srai_epi16(a, n); }
static inline vi vi_narrow16(vi a, vi b) { return _mm256_packs_epi16(a, b); } /* to 8 bits; both within 128 bits */
static inline vi vi_narrow32(vi a, vi b) { return _mm256_packs_epi32(a, b); } /* to 16 */
static inline vi vi_high_bytes(vi even, vi odd) /* of 16-bit numbers: those of `even` below those of `odd` */
{
    return _mm256_or_si256(_mm256_and_si256(odd, _mm256_set1_epi16((short)0xFF00)), _mm256_srli_epi16(even, 8));
}
/* a, and bit 7 in the bytes where b has none of the bits of `bits`. */
static inline vi vi_sign_where_none(vi a, vi b, vi bits)
{
    const vi none = _mm256_cmpeq_epi8(_mm256_and_si256(b, bits), _mm256_setzero_si256());
    return _mm256_or_si256(a, _mm256_and_si256(none, _mm256_set1_epi8((char)0x80)));
}
static inline vi vi_low32(vi a, vi b) { return _mm256_unpacklo_epi32(a, b); }
static inline vi vi_high32(vi a, vi b) { return _mm256_unpackhi_epi32(a, b); }
static inline vi vi_low64(vi a, vi b) { return _mm256_unpacklo_epi64(a, b); }
static inline vi vi_high64(vi a, vi b) { return _mm256_unpackhi_epi64(a, b); }
static inline vi vi_from_vf(vf a)
{
    return _mm256_cvtps_epi32(a);
} /* to the nearest even; the least number where it does not fit */
static inline vf vf_from_low_f16(vi a) /* of the low halves */
{
    const vi low = vi_and(a, vi_set(0xFFFF));
    return _mm256_cvtph_ps(_mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0xD8)));
}

#endif

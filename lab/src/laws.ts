// laws.ts - published scaling laws of language models, with their own constants.

export interface Law {
    E: number;
    A: number;
    B: number;
    alpha: number;
    beta: number;
}

// Hoffmann et al. 2022 (arXiv 2203.15556), approach 3, as printed; and its refit by Besiroglu et al. 2024 (arXiv 2404.10102).
export const hoffmann: Law = { E: 1.69, A: 406.4, B: 410.7, alpha: 0.34, beta: 0.28 };
export const besiroglu: Law = { E: 1.8172, A: 482.01, B: 2085.43, alpha: 0.3478, beta: 0.3658 };

export const loss = (l: Law, n: number, d: number): number => l.E + l.A / n ** l.alpha + l.B / d ** l.beta;

// The least loss that C = 6 N D buys: where the two terms, times their exponents, are equal.
export function best(l: Law, c: number): { n: number; d: number; loss: number } {
    const g = ((l.alpha * l.A) / (l.beta * l.B)) ** (1 / (l.alpha + l.beta)), n = g * (c / 6) ** (l.beta / (l.alpha + l.beta)), d = c / 6 / n;
    return { n, d, loss: loss(l, n, d) };
}

// Kaplan et al. 2020 (arXiv 2001.08361, sec. 6 and appendix A): N = 1.3e9 C^0.73, D = 2e10 C^0.27, L = (3.1e8 / C)^0.050, with N without
// embeddings and C in PF-days: C_min, what a batch far below the critical one would need. Trained at the critical batch, as N and D are
// meant, about twice as much is spent, so that 6 N D is not C.
const PF_DAY = 8.64e19;
export function kaplan(c: number): { n: number; d: number; loss: number } {
    const days = c / PF_DAY, n = 1.3e9 * days ** 0.73, d = 2e10 * days ** 0.27;
    return { n, d, loss: (3.1e8 / days) ** 0.05 };
}

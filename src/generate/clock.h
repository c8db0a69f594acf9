/* clock.h - time that only goes forward. */
#ifndef TRINE_GENERATE_CLOCK_H
#define TRINE_GENERATE_CLOCK_H

/* Milliseconds since some fixed moment. */
double trine_clock_ms(void);

#endif

/* plot_svg.h - a plot as SVG: in a report's page, or a file of its own. */
#ifndef TRINE_COMPARE_PLOT_SVG_H
#define TRINE_COMPARE_PLOT_SVG_H

#include "base/buffer.h"
#include "trine/reports.h"

/* The style rules that plots need, for light and dark: once a page. */
void trine_plot_style(trine_buffer *out);
/* The <svg> element; `id` tells its texts from those of other plots of the page. False, with nothing written, when no value can be
 * drawn. */
bool trine_plot_svg(trine_buffer *out, const trine_plot *plot, int id);
/* `text` with & < > " as entities. */
void trine_put_escaped(trine_buffer *out, const char *text);

#endif

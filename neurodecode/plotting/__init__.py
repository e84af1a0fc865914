"""What there is to look at.

gallery.py          originals beside reconstructions
brain_map.py        values on the cortical surface: inflated, pial, white, flat
volume_map.py       values of voxels: slices, mosaic, glass brain
interactive_map.py  the same to turn and to read from, slices for volumes: one HTML file
roi_bars.py         values of regions with intervals, several models side by side
scores_chart.py     values with intervals, chance and controls
methods.py          the methods section of a paper, from what was run
report.py           one self-contained HTML page
audit_panel.py, headline.py, chart.py, figures.py, graph.py, report_context.py,
report.html.j2                                                       the report's parts
colours.py, cortex.py, map_places.py, map_values.py                  what all maps share
brain_figure.py, brain_panels.py, fsaverage5.py, surface_raster.py   the surface map's parts
volume_figure.py, volume_background.py                               the volume map's parts
methods_sentences.py, methods_sources.py                             the section's parts
roi_values.py, roi_figure.py                                         the bars' parts
viewer_surface.py, viewer_volume.py, interactive_map.*               the interactive map's parts
"""

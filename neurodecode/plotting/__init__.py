"""What there is to look at.

gallery.py        originals beside reconstructions
brain_map.py      values on fsaverage5, inflated and flat
scores_chart.py   values with intervals, chance and controls
report.py         one self-contained HTML page
audit_panel.py, headline.py, chart.py, figures.py, graph.py, report_context.py,
report.html.j2                                                       its parts
brain_figure.py, brain_panels.py, fsaverage5.py, surface_raster.py   the map's parts
"""

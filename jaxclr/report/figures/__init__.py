"""The pictures of a report, a file each.

A picture is drawn by a function of what :mod:`jaxclr.records` reads, and is None where the records
hold nothing for it:

- :func:`curves.accuracy <jaxclr.report.figures.curves.accuracy>`, ``curves.losses``,
  ``pseudo_labels.overall``, ``pseudo_labels.by_domain``, ``pseudo_labels_by_class.by_class``,
  ``confusion.matrices``, ``reliability.diagrams`` and ``geometry.measures`` take the runs of each
  experiment, by its name: ``{"fixclr": [record, ...], ...}``;
- ``embedding.maps`` takes one run of each, ``{"fixclr": record, ...}``;
- ``mistakes.grid`` takes one run.

All experiments of one picture must be on the same data set.

:func:`jaxclr.report.figures.panels.written` makes PNG, SVG or PDF of them.
"""

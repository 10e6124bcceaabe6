"""What a person and a script get of an assessment: table, summary, curve and report.

The work is in the modules; :func:`MSIQALib.report.outputs.write_outputs` writes all of them.
"""

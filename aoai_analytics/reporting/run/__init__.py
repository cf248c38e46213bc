"""From the names of notebooks to a report: kernels, execution, and what a resumed run need not repeat."""

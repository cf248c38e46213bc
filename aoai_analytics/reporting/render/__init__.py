"""From blocks and executed notebooks to what Jupyter, a page and an index show."""

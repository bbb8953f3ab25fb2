"""Parts of ``bench_selection.py``: pairs with their clips, what each selector makes of them, and what is reported."""

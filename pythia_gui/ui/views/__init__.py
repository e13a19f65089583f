"""The views that compare: each is a page of the window and a function of the workspace."""

"""Qt widgets and pyqtgraph plots."""

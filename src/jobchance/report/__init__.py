"""From finished figures and frames to files: workbook, web page, manifest; written whole or not at all."""

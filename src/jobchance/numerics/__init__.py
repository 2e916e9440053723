"""Arrays in, small frozen structs out: no pandas, no files, no printing."""

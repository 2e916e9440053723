"""Every defensible specification: from a declarative file to one frame, resumable."""

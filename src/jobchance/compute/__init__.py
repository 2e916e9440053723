"""Where heavy work runs: in this process, in processes of this machine, or on an existing Dask cluster."""

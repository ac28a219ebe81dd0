"""Scan an archive on a Ray cluster.

:func:`scan_on_cluster` does what :func:`genrelens.library.scan_to_dataset` does on one machine: the
same functions classify the files, in actors on the nodes of the cluster. Ray starts the actors,
distributes the files, and repeats what is lost with a node or a process. Each node needs genrelens
with the extra ``cluster``, and the same paths: a shared file system or an object store.

Example::

    from genrelens.cluster import cluster, scan_on_cluster
    from genrelens.library import Dataset, find_sources

    files = find_sources(["s3://bucket/music"], on_problem=print)
    with cluster("auto"):
        for scanned in scan_on_cluster(Dataset("s3://bucket/library"), files):
            print(scanned.path, scanned.status)
"""

from genrelens.cluster.connect import cluster
from genrelens.cluster.driver import scan_on_cluster

__all__ = ["cluster", "scan_on_cluster"]

from tests.support.elasticsearch import dataset, elasticsearch

__all__ = ["dataset", "elasticsearch"]

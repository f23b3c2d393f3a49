"""Control calls to Elasticsearch: what must be set up before documents can arrive."""

"""The gate in front of an application: plain ASGI, plain WSGI, and what a serverless gateway hands on."""

"""HTTP: routes, request and reply models, middleware, and the only exception-to-HTTP mapping."""

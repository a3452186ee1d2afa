//! Cross-service tests; everything is in `it/`.

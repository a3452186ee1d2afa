//! Cross-service tests through the real Envoy.
